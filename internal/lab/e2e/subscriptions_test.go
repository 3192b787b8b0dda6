package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// heard is what reaches a subscriber.
type heard struct {
	Method string `json:"method"`
	Params struct {
		URI           string `json:"uri"`
		Notifications struct {
			ResourceSubscriptions []string `json:"resourceSubscriptions"`
		} `json:"notifications"`
		Meta struct {
			Subscription int    `json:"io.modelcontextprotocol/subscriptionId"`
			Status       string `json:"status"`
		} `json:"_meta"`
	} `json:"params"`
}

// subscriber opens a way to hear of resources and returns what waits for the
// next message.
type subscriber func(t *testing.T, apiURL string, uris []string) (next func() heard)

// listenMessage is a listen of the newest revision, with the id 7.
func listenMessage(uris []string) string {
	text, _ := json.Marshal(uris)
	return `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":` + string(text) +
		`},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
}

func listenOverStdio(t *testing.T, apiURL string, uris []string) func() heard {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(ownKey), 0o600); err != nil {
		t.Fatal(err)
	}
	in, out, ended := program.ServeStdio(t, "--api-url", apiURL, "--api-key-file", key)
	t.Cleanup(func() {
		in.Close()
		for out.Scan() {
		}
		if code := <-ended; code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	fmt.Fprintln(in, listenMessage(uris))
	return func() heard { return hear(t, out, "") }
}

func listenOverHTTP(t *testing.T, apiURL string, uris []string) func() heard {
	url := program.ServeHTTP(t, io.Discard, nil, "--api-url", apiURL)
	return stream(t, http.MethodPost, url, listenMessage(uris), "MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen")
}

// subscribeOverHTTP subscribes one by one, in the old era.
func subscribeOverHTTP(t *testing.T, apiURL string, uris []string) func() heard {
	me := program.NewTenant(t, program.ServeHTTP(t, io.Discard, nil, "--api-url", apiURL), ownKey)
	for i, uri := range uris {
		_, body, _ := me.Send(t, me.Session, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":%q}}`, uri), nil)
		refused := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"resource not found","data":{"uri":%q}}}`, uri)
		if want := map[bool]string{true: `{"jsonrpc":"2.0","id":1,"result":{}}`, false: refused}[i == 0]; body != want {
			t.Errorf("%s answered %s", uri, body)
		}
	}
	return stream(t, http.MethodGet, me.URL, "", "Mcp-Session-Id", me.Session)
}

// stream sends a request that is answered by an event stream.
func stream(t *testing.T, method, url, body string, headers ...string) func() heard {
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(append(headers, "x-api-key", ownKey, "Content-Type", "application/json", "Accept", "application/json, text/event-stream"), 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() heard { return hear(t, lines, "data: ") }
}

// hear reads the next message, on a line of its own after the prefix.
func hear(t *testing.T, lines *bufio.Scanner, prefix string) (h heard) {
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), prefix); ok && text != "" {
			if err := json.Unmarshal([]byte(text), &h); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			return h
		}
	}
	t.Fatalf("it ended: %v", lines.Err())
	return h
}

const ownKey, otherKey = "key-of-the-subscriber-0", "key-of-somebody-else-00"

// TestSubscribersHearOfTheirOwnRuns alone, whatever they ask for: others' runs
// are as unknown as those that never were.
func TestSubscribersHearOfTheirOwnRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		subscribe subscriber
		tag       int // of everything that comes; 0 in the old era, which has no acknowledgement either
	}{
		"listen over stdio":            {listenOverStdio, 7},
		"listen over HTTP":             {listenOverHTTP, 7},
		"subscribe over HTTP, old era": {subscribeOverHTTP, 0},
	} {
		t.Run(name, func(t *testing.T) {
			box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{Keys: []string{ownKey, otherKey}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { box.Close() })
			api, err := client.New(client.Options{URL: box.URL()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(api.Close)
			own, foreign := waitingRun(t, api, ownKey), waitingRun(t, api, otherKey)
			mine := "run://" + own + "/events"
			next := tt.subscribe(t, box.URL(), []string{mine, "run://" + foreign, "run://" + foreign + "/events",
				"run://123e4567-e89b-12d3-a456-426614174000", "%zz://run", "file:///etc/passwd"})
			if tt.tag != 0 {
				first := next()
				honoured := first.Params.Notifications.ResourceSubscriptions
				if first.Method != "notifications/subscriptions/acknowledged" || !slices.Equal(honoured, []string{mine}) || first.Params.Meta.Subscription != tt.tag {
					t.Fatalf("it begins with %+v", first)
				}
			}
			// Whatever would be heard of the foreign run is on its way first.
			for _, end := range []client.Caller{{Key: otherKey}, {Key: ownKey}} {
				if err := api.AbortRun(t.Context(), end, map[client.Key]client.RunID{otherKey: client.RunID(foreign), ownKey: client.RunID(own)}[end.Key]); err != nil {
					t.Fatal(err)
				}
			}
			for h := next(); ; h = next() {
				if h.Method != "notifications/resources/updated" || h.Params.URI != mine || h.Params.Meta.Subscription != tt.tag {
					t.Fatalf("heard %+v", h)
				}
				if h.Params.Meta.Status == "CANCELED" {
					break
				}
			}
			if n := box.Sandbox().Stats().StreamsOpened; n != 1 {
				t.Errorf("%d upstream streams, want that of the own run", n)
			}
		})
	}
}

// waitingRun creates a run that waits for a person.
func waitingRun(t *testing.T, api *client.Client, key client.Key) string {
	run, err := api.CreateRun(t.Context(), client.Caller{Key: key}, client.CreateRunRequest{
		Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: step_ms=0", ApprovalStrategy: client.ApproveStart,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(run.RunID)
}
