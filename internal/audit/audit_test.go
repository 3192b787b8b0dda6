package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

var alice = client.Caller{Key: "key-of-alice", UserID: "alice"}

// bed is a log of its own folder, and what the program's log says of it.
type bed struct {
	*Log
	path    string
	program bytes.Buffer
}

func newBed(t *testing.T, refuse bool) *bed {
	t.Helper()
	b := &bed{path: filepath.Join(t.TempDir(), "audit.log")}
	var err error
	b.Log, err = Open(Options{Path: b.path, Refuse: refuse, Log: slog.New(slog.NewTextHandler(&b.program, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// fillDisk has every write fail until makeRoom.
func (b *bed) fillDisk(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	if err := errors.Join(os.Rename(b.path, b.path+".1"), os.Symlink("/dev/full", b.path)); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) makeRoom(t *testing.T) {
	t.Helper()
	if err := os.Rename(b.path+".1", b.path); err != nil {
		t.Fatal(err)
	}
}

// lines returns the lines of the log, each as "event action run outcome".
func (b *bed) lines(t *testing.T) (short []string) {
	t.Helper()
	text, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		short = append(short, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", l.Event, l.Action, l.Run, l.Outcome)))
	}
	return short
}

func requireLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestManyTools holds that a line names at most 20 tools, and says how many more there are.
func TestManyTools(t *testing.T) {
	for tools, want := range map[int]string{20: "", 21: "(1 more)", 1000: "(980 more)"} {
		b := newBed(t, true)
		if _, err := b.Begin(Effect{Action: Decide, Channel: Client, Caller: alice, RunID: "run-1", Decision: "approve", Tools: slices.Repeat([]string{"gmail_send"}, tools)}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(b.path)
		if err != nil {
			t.Fatal(err)
		}
		var line struct{ Tools []string }
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(line.Tools[20:], ""); got != want {
			t.Errorf("%d tools: after the 20th stands %q, want %q", tools, got, want)
		}
	}
}

// TestLines holds what a line says, and that it has neither the key nor the intent nor a
// name that is none or holds a secret.
func TestLines(t *testing.T) {
	b := newBed(t, true)
	entry, err := b.Begin(Effect{
		Action: Decide, Channel: Client, Caller: alice, RunID: "run-1", Decision: "approve", Digest: "digest",
		Tools: []string{"gmail_send", "two words", "holds-a-long-secret"}, Secrets: redact.New("a-long-secret"),
	})
	if err != nil {
		t.Fatal(err)
	}
	entry.End("", &client.Error{Kind: client.OutcomeUnknown})
	entry, err = b.Begin(Effect{Action: Create, Channel: Tool, Caller: alice, UserID: "bob", Intent: "pay everybody"})
	if err != nil {
		t.Fatal(err)
	}
	entry.End("run-2", nil)
	text, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for line := range strings.Lines(string(text)) {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if at, _ := fields["time"].(string); len(at) != len("2026-01-02T15:04:05.000Z") || at[len(at)-1] != 'Z' {
			t.Errorf("time is %q", at)
		}
		got = append(got, fields)
	}
	if got[0]["id"] != got[1]["id"] || got[1]["id"] == got[2]["id"] {
		t.Errorf("the ids are %v, %v, %v", got[0]["id"], got[1]["id"], got[2]["id"])
	}
	for _, fields := range got {
		delete(fields, "time")
		delete(fields, "id")
	}
	decided := map[string]any{
		"event": "attempt", "action": "decide", "channel": "client", "caller": b.Caller(alice.Key), "user": "alice", "run": "run-1",
		"decision": "approve", "digest": "digest", "tools": []any{"gmail_send", "(not shown)", "(not shown)"},
	}
	created := map[string]any{
		"event": "attempt", "action": "create", "channel": "tool", "caller": b.Caller(alice.Key), "user": "bob", "digest": b.Text("pay everybody"),
	}
	for i, want := range []map[string]any{decided, decided, created, created} {
		if i%2 == 1 {
			want["event"], want["outcome"] = "outcome", map[int]string{1: "outcome_unknown", 3: "ok"}[i]
		}
		if i == 3 {
			want["run"] = "run-2"
		}
		if fmt.Sprint(got[i]) != fmt.Sprint(want) {
			t.Errorf("line %d is\n%v, want\n%v", i+1, got[i], want)
		}
	}
	if strings.Contains(string(text), string(alice.Key)) || strings.Contains(string(text), "pay") {
		t.Errorf("a secret was written: %s", text)
	}
}

// TestFullDiskRefuses holds that nothing may be done that cannot be written down first,
// until there is room, and that what was done meanwhile is written then.
func TestFullDiskRefuses(t *testing.T) {
	b := newBed(t, true)
	begun, err := b.Begin(Effect{Action: Abort, RunID: "run-1"})
	if err != nil {
		t.Fatal(err)
	}
	b.fillDisk(t)
	begun.End("", nil)
	for range 3 {
		if _, err := b.Begin(Effect{Action: Abort, RunID: "run-2"}); !errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
	}
	if b.failed.Load() != 4 || strings.Count(b.program.String(), "refused") != 1 {
		t.Errorf("%d failures; the program logged %s", b.failed.Load(), &b.program)
	}
	b.makeRoom(t)
	begun, err = b.Begin(Effect{Action: Abort, RunID: "run-3"})
	if err != nil {
		t.Fatal(err)
	}
	begun.End("", nil)
	requireLines(t, b.lines(t), "attempt abort run-1", "outcome abort run-1 ok", "attempt abort run-3", "outcome abort run-3 ok")
	if !strings.Contains(b.program.String(), "written again") {
		t.Errorf("the program logged %s", &b.program)
	}
}

// TestFullDiskLogs holds that effects go on if the operator wants that, and that the
// lines are written when there is room.
func TestFullDiskLogs(t *testing.T) {
	b := newBed(t, false)
	b.fillDisk(t)
	for i := range maxWaiting/2 + 1 { // one line more than are kept, and one
		entry, err := b.Begin(Effect{Action: Abort, RunID: client.RunID(fmt.Sprint("run-", i))})
		if err != nil {
			t.Fatal(err)
		}
		entry.End("", nil)
	}
	if n := strings.Count(b.program.String(), "a line of the audit log was lost"); n != 2 || !strings.Contains(b.program.String(), `\"run\":\"run-0\"`) {
		t.Errorf("%d lines were lost: %s", n, &b.program)
	}
	b.makeRoom(t)
	b.Close()
	got := b.lines(t)
	if len(got) != maxWaiting || got[0] != "attempt abort run-1" {
		t.Errorf("%d lines; the first is %s", len(got), got[0])
	}
}

// TestKeyFile holds that hashes stay the same as long as the key file does, that they
// differ without it, and that a broken one is refused.
func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	caller := func() string {
		t.Helper()
		l, err := Open(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Caller(alice.Key)
	}
	first := caller()
	if again := caller(); again != first || len(first) != 16 {
		t.Errorf("got %s, then %s", first, again)
	}
	if info, err := os.Stat(path + KeyFileSuffix); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v (%v)", info.Mode(), err)
	}
	if err := os.Remove(path + KeyFileSuffix); err != nil {
		t.Fatal(err)
	}
	if other := caller(); other == first {
		t.Errorf("another key makes the same hash %s", other)
	}
	if err := os.WriteFile(path+KeyFileSuffix, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "holds no key") {
		t.Errorf("got %v", err)
	}
}

// TestOddKeyFiles holds that a key file that is no file is refused at once: a pipe would
// be waited for, and a device read, for ever.
func TestOddKeyFiles(t *testing.T) {
	for _, what := range []string{"/dev/zero", t.TempDir()} {
		path := filepath.Join(t.TempDir(), "audit.log")
		if _, err := os.Stat(what); err != nil {
			continue // another system
		}
		if err := os.Symlink(what, path+KeyFileSuffix); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// TestDocumentedLines holds that the lines in docs/observability.md are lines of this
// log, to the order of their fields.
func TestDocumentedLines(t *testing.T) {
	doc, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for text := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(text, `{"time"`) {
			continue
		}
		n++
		var l line
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if again, err := json.Marshal(l); err != nil || string(again) != strings.TrimSpace(text) {
			t.Errorf("the docs have %s, want %s (%v)", text, again, err)
		}
	}
	if n != 2 {
		t.Errorf("%d lines in the docs", n)
	}
}
