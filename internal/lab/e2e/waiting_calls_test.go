package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/tools"
)

// callMessage is a progress notification or the answer of a call.
type callMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProgressToken int    `json:"progressToken"`
		Progress      int    `json:"progress"`
		Message       string `json:"message"`
	} `json:"params"`
	Result *struct {
		IsError           bool            `json:"isError"`
		StructuredContent tools.RunResult `json:"structuredContent"`
	} `json:"result"`
}

// TestThousandWaitingCalls holds that a thousand calls can wait for one run, each with
// progress. Each call gets every event, in order, and its answer after them.
func TestThousandWaitingCalls(t *testing.T) {
	const calls, steps = 1000, 20
	const events = steps + 3 // status, start, steps, end
	in, out, exit := program.ServeStdio(t, "--sandbox")
	send := func(format string, args ...any) {
		if _, err := fmt.Fprintf(in, format+"\n", args...); err != nil {
			t.Error(err)
		}
	}
	send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`)
	out.Scan()
	send(`{"jsonrpc":"2.0","id":"create","method":"tools/call","params":{"name":"create_run","arguments":{"intent":"x","context":"sandbox: steps=%d step_ms=100"}}}`, steps)
	answered := 0
	received := make([]progressCount, calls)
	for answered < calls && out.Scan() {
		var m callMessage
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
		switch {
		case string(m.ID) == `"create"`:
			go func() {
				for i := range calls {
					send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_run","arguments":{"runId":%q,"afterEventId":0,"waitSeconds":45},"_meta":{"progressToken":%d}}}`, i, m.Result.StructuredContent.RunID, i)
				}
			}()
		case m.Method == "notifications/progress":
			received[m.Params.ProgressToken].count(t, m)
		case m.Result != nil:
			var i int
			if err := json.Unmarshal(m.ID, &i); err != nil || m.Result.IsError || !m.Result.StructuredContent.Finished {
				t.Fatalf("got %s", out.Bytes())
			}
			if received[i].events != events {
				t.Fatalf("call %d was answered after %d of %d events", i, received[i].events, events)
			}
			answered++
		}
	}
	if answered != calls || slices.ContainsFunc(received, func(r progressCount) bool { return r.events != events }) {
		t.Errorf("%d answers; not every call got %d events; %v", answered, events, out.Err())
	}
	in.Close() // not earlier: it would end the waits
	for out.Scan() {
	}
	if code := <-exit; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// progressCount counts what one call received.
type progressCount struct{ notifications, events int }

// count counts a progress notification. It fails the test unless it is the next one.
func (c *progressCount) count(t *testing.T, m callMessage) {
	t.Helper()
	c.notifications++
	// A slow machine gets heartbeats between the events.
	heartbeat := m.Params.Message == "waiting for the run" || strings.HasPrefix(m.Params.Message, "still ")
	if !heartbeat {
		c.events++
	}
	if m.Params.Progress != c.notifications || !heartbeat && !strings.HasPrefix(m.Params.Message, fmt.Sprint(c.events)+": ") {
		t.Fatalf("call %d: progress %d (%s), want number %d of event %d", m.Params.ProgressToken, m.Params.Progress, m.Params.Message, c.notifications, c.events)
	}
}
