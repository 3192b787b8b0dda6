package stdio

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

var update = flag.Bool("update", false, "write the server's lines into the transcripts")

// TestTranscripts plays the sessions in testdata. Lines after "> " are the
// client's, lines after "< " the server's, in the order that is expected.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, transcript := range archive.Files {
			t.Run(filepath.Base(file)+"/"+transcript.Name, func(t *testing.T) {
				archive.Files[i].Data = play(t, transcript.Data)
			})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// play runs one session and returns it with the lines that the server wrote.
func play(t *testing.T, transcript []byte) []byte {
	f := fixture.New(session.Hooks())
	close(f.Release)
	w := serve(t, f.MCP, session.Options{})
	var played strings.Builder
	for line := range strings.Lines(string(transcript)) {
		line = strings.TrimSuffix(line, "\n")
		if sent, ok := strings.CutPrefix(line, "> "); ok {
			w.send(sent)
		} else if want, ok := strings.CutPrefix(line, "< "); ok && *update {
			line = "< " + w.next()
		} else if ok {
			w.expect(want)
		}
		played.WriteString(line + "\n")
	}
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Errorf("after the transcript: %q, %v", rest, err)
	}
	return []byte(played.String())
}

func TestRevisionsShareAPipe(t *testing.T) {
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{})
	w.hello("2025-11-25", `{}`)
	w.send(fixture.Stateless("1", "tools/call", `"name":"who"`))
	if got := w.next(); !strings.Contains(got, `"text":"new \"2026-07-28\""`) {
		t.Fatal(got)
	}
	w.send(fixture.Call("2", "who", ""))
	w.expect(fixture.TextAnswer("2", `old \"2025-11-25\"`))
}

func TestElicitation(t *testing.T) {
	ask := `{"jsonrpc":"2.0","id":"server-1","method":"elicitation/create","params":{"message":"May I?","requestedSchema":{"properties":{},"type":"object"}}}`
	for _, c := range []struct{ name, can, reply, want string }{
		{"accept", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"accept","content":{}}`, "accept"},
		{"cancel", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"cancel"}`, "cancel"},
		{"form said", `{"elicitation":{"form":{}}}`, `"id":"server-1","result":{"action":"decline"}`, "decline"},
		{"id spelled otherwise", `{"elicitation":{}}`, `"id":"server\u002d1","result":{"action":"decline"}`, "decline"},
		{"error", `{"elicitation":{}}`, `"id":"server-1","error":{"code":-1,"message":"no"}`, "unasked"},
		{"no action", `{"elicitation":{}}`, `"id":"server-1","result":{}`, "unasked"},
		{"unknown action", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"yes"}`, "unasked"},
		{"content is no object", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"accept","content":[]}`, "unasked"},
		{"result and error", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"accept"},"error":{}`, "unasked"},
		{"duplicate keys", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"decline","action":"accept"}`, "unasked"},
		{"keys in two cases", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"decline","Action":"accept"}`, "unasked"},
		{"a key in another case", `{"elicitation":{}}`, `"id":"server-1","result":{"Action":"accept"}`, "unasked"},
		{"contents in two cases", `{"elicitation":{}}`, `"id":"server-1","result":{"action":"accept","content":{"decision":"deny"},"Content":{"decision":"approve"}}`, "unasked"},
		{"not declared", `{}`, "", "unasked"},
		{"URL mode only", `{"elicitation":{"url":{}}}`, "", "unasked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fixture.New(session.Hooks())
			w := serve(t, f.MCP, session.Options{})
			w.hello("2025-06-18", c.can)
			w.send(fixture.Call("1", "ask", ""))
			if c.reply != "" {
				w.expect(ask)
				w.send(`{"jsonrpc":"2.0","id":"server-2","result":{"action":"accept"}}`, // nobody asked
					`{"jsonrpc":"2.0",`+c.reply+`}`)
			}
			w.expect(fixture.TextAnswer("1", c.want))
		})
	}
}

func TestElicitationEnds(t *testing.T) {
	start := func(t *testing.T, opts session.Options) (*fixture.Server, *testClient) {
		f := fixture.New(session.Hooks())
		w := serve(t, f.MCP, opts)
		w.hello("2025-06-18", `{"elicitation":{}}`)
		w.send(fixture.Call("1", "ask", ""))
		w.next()
		return f, w
	}
	withdrawn := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"no answer in time","requestId":"server-1"}}`
	t.Run("timeout", func(t *testing.T) {
		_, w := start(t, session.Options{ElicitationTimeout: time.Millisecond})
		w.expect(withdrawn)
		w.expect(fixture.TextAnswer("1", "late"))
		w.send(`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
		w.expect(`{"jsonrpc":"2.0","id":2,"result":{}}`)
	})
	t.Run("end of input", func(t *testing.T) {
		_, w := start(t, session.Options{})
		w.in.Close()
		w.expect(strings.Replace(withdrawn, "no answer in time", "the answer is no longer needed", 1))
		w.expect(fixture.TextAnswer("1", "withdrawn"))
	})
	t.Run("call cancelled", func(t *testing.T) {
		f, w := start(t, session.Options{})
		w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		w.expect(strings.Replace(withdrawn, "no answer in time", "the answer is no longer needed", 1))
		if got := fixture.Receive(t, f.Asked); got != "withdrawn" {
			t.Fatal(got)
		}
		w.in.Close()
		if rest, err := w.finish(); err != nil || len(rest) > 0 {
			t.Fatalf("got %q, %v", rest, err)
		}
	})
}
