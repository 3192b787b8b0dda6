package tools

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/sandbox"
)

// askingSession is a session whose request asked for progress, and whose server can
// be told to stop.
type askingSession struct {
	*slowPerson
	draining chan struct{}
}

func (askingSession) ProgressToken() any          { return "p" }
func (s askingSession) Draining() <-chan struct{} { return s.draining }

// TestTaskResultHasNoLimit: tasks/result waits as long as the run takes, for hours and
// for a person who refused, with a heartbeat after each 15 s of silence.
func TestTaskResultHasNoLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		person       *slowPerson
		args         createRunArgs
		least, asked int           // heartbeats, questions
		abortAfter   time.Duration // 0: it ends by itself
	}{
		"a run of two hours": {&slowPerson{}, createRunArgs{Intent: "x", Context: "sandbox: steps=2 step_ms=3600000"}, 400, 0, 0},
		"a refusal":          {&slowPerson{cancels: true, takes: 5 * time.Second}, createRunArgs{Intent: "x", Context: "sandbox: steps=1 step_ms=1", ApprovalStrategy: "ON_START"}, 60, 1, 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := sandbox.New(sandbox.Options{})
				defer box.Close()
				h, c := bubble(t, box, tt.person)
				run, err := h.createRun(t.Context(), c, tt.args, nil)
				if err != nil {
					t.Fatal(err)
				}
				aborted := make(chan error, 1)
				if tt.abortAfter == 0 {
					aborted <- nil
				} else {
					time.AfterFunc(tt.abortAfter, func() { aborted <- h.API.AbortRun(t.Context(), c.caller, run.RunID) })
				}
				ctx := server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), askingSession{slowPerson: tt.person})
				began := time.Now()
				result, err := (&Tasks{h}).TaskResult(ctx, string(run.RunID))
				if err := errors.Join(err, <-aborted); err != nil {
					t.Fatal(err)
				}
				ended, heartbeats := result.(*mcp.CallToolResult), 0
				for range len(tt.person.notes) {
					if message, _ := (<-tt.person.notes).Params.AdditionalFields["message"].(string); strings.HasPrefix(message, "still ") {
						heartbeats++
					}
				}
				if ended.Meta.AdditionalFields[mcp.RelatedTaskMetaKey] == nil || heartbeats < tt.least || len(tt.person.messages) != tt.asked {
					t.Errorf("after %v: %d heartbeats, asked %d times, %v", time.Since(began), heartbeats, len(tt.person.messages), ended.Meta)
				}
			})
		})
	}
}

// TestTaskResultEnds when its client cancels it or the server stops; the run goes on.
func TestTaskResultEnds(t *testing.T) {
	for _, person := range []*slowPerson{{}, {cancels: true, takes: time.Second}} { // one waits for the run, one for a change
		synctest.Test(t, func(t *testing.T) {
			box := sandbox.New(sandbox.Options{})
			defer box.Close()
			h, c := bubble(t, box, person)
			run, err := h.createRun(t.Context(), c, createRunArgs{Intent: "x", Context: "sandbox: steps=1 step_ms=1", ApprovalStrategy: "ON_START"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			session := askingSession{person, make(chan struct{})}
			ctx := server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), session)
			time.AfterFunc(time.Hour, func() { close(session.draining) })
			if _, err := (&Tasks{h}).TaskResult(ctx, string(run.RunID)); err == nil || !strings.Contains(err.Error(), "this server is stopping") {
				t.Errorf("the server stops: %v", err)
			}
			session.draining = nil
			stopped, stop := context.WithCancel(server.NewMCPServer("test", "1").WithContext(client.WithCaller(t.Context(), caller), session))
			time.AfterFunc(time.Hour, stop)
			if _, err := (&Tasks{h}).TaskResult(stopped, string(run.RunID)); err == nil || errors.Is(err, errNoTask) {
				t.Errorf("the client cancels: %v", err)
			}
		})
	}
}
