package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/tools"
)

// newTestScreen returns a screen that takes what it prints for a terminal of 80 columns.
func newTestScreen(t *testing.T, out *bytes.Buffer) *screen {
	t.Helper()
	none, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { none.Close() })
	return &screen{out: out, terminal: none}
}

// TestWrapText holds how texts are broken into lines.
func TestWrapText(t *testing.T) {
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"", 20, ""},
		{"one two three four five", 20, "one two three four|five"},
		{"a-word-that-is-longer-than-the-line b", 20, "a-word-that-is-longer-than-the-line|b"},
		{"one two three four five", 3, "one two three|four five"},
		{"  spaces \n and lines ", 40, "spaces and lines"},
	} {
		if got := strings.Join(wrapText(tt.text, tt.columns), "|"); got != tt.want {
			t.Errorf("%q in %d columns: %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

// TestOutline holds how a JSON value is printed for a person.
func TestOutline(t *testing.T) {
	var out bytes.Buffer
	printOutline(&out, []byte(`{"summary":"A text that is longer than a line of this screen.","n":12345678901234567890,"ok":true,"none":null,"empty":[],
		"lines":"first\nsecond","bad":"a\u001b[2Jb\u202ec\td","list":["x","y"],"long":["a text with, a comma"],"nested":{"b":1,"a":{"deep":"x"}},"items":[{"id":1,"text":"x"},{}]}`), 40)
	const want = `summary: A text that is longer than a
  line of this screen.
n: 12345678901234567890
ok: true
none: none
empty: none
lines: first
  second
bad: a[2Jbc d
list: x, y
long:
  - a text with, a comma
nested:
  b: 1
  a:
    deep: x
items:
  - id: 1
    text: x
  - none
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

// TestLiveScreen holds what the last line shows, and that lines are printed above it.
func TestLiveScreen(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLiveScreen(newTestScreen(t, &out), func() time.Time { return now })
	l.noteEvent(client.Event{RunStatus: client.Running, Step: &client.Step{Text: "x"}}, now.Add(-75*time.Second))
	l.printLine("  1.0s", client.Running, "step: x")
	const last = "1m15s | RUNNING | 1 step | Ctrl-C stops watching"
	if got := out.String(); got != "  1.0s  step: x\n\r\x1b[K"+last && got != "  1.0s  step: x\n"+last {
		t.Errorf("got %q", got)
	}
	out.Reset()
	l.hold()
	l.draw()
	_, _ = l.Write([]byte("A question: "))
	if got := out.String(); got != "\r\x1b[KA question: " {
		t.Errorf("held: %q", got)
	}
	out.Reset()
	l.release()
	l.noteEvent(client.Event{RunStatus: client.Paused}, time.Time{})
	_, _ = l.Write([]byte("x\n"))
	if got := out.String(); !strings.HasPrefix(got, "x\n1m15s | PAUSED, waits for a decision") {
		t.Errorf("released: %q", got)
	}
}

// TestKeyboard holds that only a line typed after a question answers it.
func TestKeyboard(t *testing.T) { synctest.Test(t, testKeyboard) }

func testKeyboard(t *testing.T) {
	lines := make(chan string)
	k := newKeyboard(lines)
	lines <- "y" // nobody asked
	synctest.Wait()
	answer := k.next()
	lines <- "n"
	if got := <-answer; got != "n" {
		t.Errorf("got %q", got)
	}
	second := k.next()
	close(lines)
	if got, ok := <-second; ok {
		t.Errorf("got %q after the end", got)
	}
	if _, ok := <-k.next(); ok {
		t.Error("a line came after the end")
	}
}

// TestPrintRuns holds the table of runs: on a wide screen, on a narrow one, and without
// runs.
func TestPrintRuns(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	list := tools.RunList{More: true, Runs: []tools.ListedRun{
		{RunID: "123e4567-e89b-12d3-a456-426614174000", Status: "PAUSED", CreatedAt: "2026-01-01T11:55:00Z", Intent: "Find overdue invoices and remind the account owners"},
		{RunID: "123e4567-e89b-12d3-a456-426614174001", Status: "PARTIAL_SUCCESS", CreatedAt: "2025-12-25T11:55:00Z", Intent: "x"},
	}}
	printRuns(newTestScreen(t, &out), list, now)
	const want = `PAUSED            5 m 123e4567-e89b-12d3-a456-426614174000 Find overdue invo...
PARTIAL_SUCCESS   7 d 123e4567-e89b-12d3-a456-426614174001 x
There are more: --limit shows up to 100.
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	printRuns(newTestScreen(t, &out), tools.RunList{}, now)
	if out.String() != "There are no runs.\n" {
		t.Errorf("got %q", out.String())
	}
	for age, want := range map[time.Duration]string{-time.Minute: "0 s", 5 * time.Second: "5 s", 90 * time.Minute: "1 h", 72 * time.Hour: "3 d"} {
		if got := ageOf(now.Add(-age).Format(time.RFC3339), now); got != want {
			t.Errorf("%s ago: %q", age, got)
		}
	}
	if got := ageOf("then", now); got != "?" {
		t.Errorf("got %q", got)
	}
}

// TestElapsed holds how times are shown.
func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{-1: "0.0s", 1234 * time.Millisecond: "1.2s", 59 * time.Second: "59s", 3*time.Minute + 5*time.Second: "3m05s", 2*time.Hour + 5*time.Minute: "2h05m"} {
		if got := elapsed(d); got != want {
			t.Errorf("%s: %q", d, got)
		}
	}
}
