package streamable

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// endlessTasks never end. ended gets why a wait for their result did.
type endlessTasks struct {
	session.Tasks
	ended chan error
}

func (endlessTasks) Offer(*server.MCPServer) session.TaskOffer {
	return session.TaskOffer{Tools: []string{"echo"}}
}

func (t endlessTasks) TaskResult(ctx context.Context, _ string) (any, error) {
	<-ctx.Done()
	t.ended <- context.Cause(ctx)
	return nil, ctx.Err()
}

const awaitResult = `{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{"taskId":"x"}}`

// TestAbandonedResultEnds: a wait for the result of a task, which has no limit, ends
// when nobody has read its stream for a while: it takes one of the caller's calls.
func TestAbandonedResultEnds(t *testing.T) {
	const timeout = 300 * time.Millisecond
	tasks := endlessTasks{ended: make(chan error, 10)}
	o := Options{CallsPerCaller: 2}
	o.Tasks, o.ElicitationTimeout = tasks, timeout
	s := serveHTTP(t, fixture.New(session.Hooks()), o)
	h := s.session("2025-11-25", `{}`)

	soon, leave := context.WithTimeout(t.Context(), streamAfter/4) // before it has an id to come back with
	defer leave()
	r, err := http.NewRequestWithContext(soon, "POST", "http://"+s.addr+"/mcp", strings.NewReader(awaitResult))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(h); i += 2 {
		r.Header.Set(h[i], h[i+1])
	}
	r.Header.Set("Content-Type", "application/json")
	if resp, err := s.client.Do(r); err == nil {
		t.Fatal(resp.Status)
	}
	if cause := fixture.Receive(t, tasks.ended); !errors.Is(cause, session.ErrClientGone) {
		t.Errorf("the client left: %v", cause)
	}

	e := s.stream(s.do("POST", "/mcp", h, strings.Replace(awaitResult, `"id":1`, `"id":2`, 1)))
	id := e.frame().id
	e.resp.Body.Close()
	again := s.resume(h, id)
	select {
	case cause := <-tasks.ended:
		t.Fatalf("somebody reads: %v", cause)
	case <-time.After(3 * timeout):
	}
	again.resp.Body.Close()
	if cause := fixture.Receive(t, tasks.ended); !errors.Is(cause, session.ErrClientGone) {
		t.Errorf("the client left again: %v", cause)
	}
}
