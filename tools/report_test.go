package tools

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
)

// numbered is the session of a request with an id.
type numbered struct{ server.ClientSession }

func (numbered) RequestID() string { return "7" }

// newReporting returns handlers that log every call, and their log.
func newReporting(o Options) (*handlers, *strings.Builder) {
	var log strings.Builder
	o.Log, o.LogCalls = slog.New(slog.NewTextHandler(&log, nil)), true
	o.NameCaller = func(client.Key) string { return "hashed" }
	return newHandlers(o), &log
}

// TestFailureIsLogged at the level warn, with its request, run and duration.
func TestFailureIsLogged(t *testing.T) {
	h, log := newReporting(Options{})
	const run = "123e4567-e89b-12d3-a456-426614174000"
	req := mcp.CallToolRequest{Params: mcp.CallToolParams{RawArguments: json.RawMessage(`{"runId":"` + run + `"}`)}}
	c := &call{tool: "get_run", at: time.Now(), session: numbered{}}
	h.logFailure(t.Context(), c, req, "not_found", &client.Error{Kind: client.NotFound, Op: "get_run"})
	h.report(t.Context(), c, "not_found") // adds no second line
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, log)
	}
	for _, want := range []string{"level=WARN", "tool=get_run", "outcome=not_found", "ms=0", "request=7", "caller=hashed", "run=" + run, "error.kind=not_found"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
}

// TestCallIsLogged at the level info, if the operator wants it and it did not fail.
func TestCallIsLogged(t *testing.T) {
	var seen []CallReport
	h, log := newReporting(Options{Observe: func(_ context.Context, r CallReport) { seen = append(seen, r) }})
	c := &call{tool: "create_run", at: time.Now().Add(-2 * time.Second), session: numbered{}, runID: "run-1"}
	for _, outcome := range []string{outcomeOK, outcomeInputRequired, outcomeTask} {
		log.Reset()
		h.report(t.Context(), c, outcome)
		want := `level=INFO msg="a tool was called" tool=create_run outcome=` + outcome + ` ms=2000 request=7 caller=hashed run=run-1` + "\n"
		if _, got, _ := strings.Cut(log.String(), " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	log.Reset()
	h.LogCalls = false
	h.report(t.Context(), c, outcomeOK)
	if log.Len() > 0 || len(seen) != 4 || seen[3].Tool != "create_run" || seen[3].Outcome != "ok" || seen[3].Duration < 2*time.Second {
		t.Errorf("logged %q, reported %+v", log, seen)
	}
}
