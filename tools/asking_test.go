package tools_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// after waits for a channel before the answer, or until the client no longer waits
// for it; then the person answers all the same.
func after(ready <-chan bool, then answer) answer {
	return func(ctx context.Context, p *sdk.ElicitParams) (*sdk.ElicitResult, error) {
		select {
		case <-ready:
		case <-ctx.Done():
		}
		return then(ctx, p)
	}
}

// asksWithin waits until a person was asked so often.
func (p *person) asked(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); len(p.questions()) < n; {
		if time.Now().After(end) {
			t.Fatalf("asked %d times, want %d", len(p.questions()), n)
		}
	}
}

// TestSixtyCalls on one approval put one question, in each era, and all of them
// learn what came of it.
func TestSixtyCalls(t *testing.T) {
	for _, tt := range []struct {
		answer    answer
		decisions []sandbox.Decision
		status    string
	}{
		{chooses("approve"), []sandbox.Decision{"approve"}, "SUCCESS"},
		{chooses("deny"), []sandbox.Decision{"deny"}, "CANCELED"},
		{does("decline"), nil, "PAUSED"},
	} {
		eachAskingRevision(t, func(t *testing.T, version string) {
			bed := testbed.New(t, human, nil)
			created := paused(t, bed, version, "ON_START", "steps=1")
			ready := make(chan bool)
			who := &person{answers: []answer{after(ready, tt.answer)}}
			s := bed.ConnectWith(version, who.options())
			const calls = 60
			ended := make(chan tools.RunResult, calls)
			for range calls {
				go func() {
					ended <- testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": created.RunID, "waitSeconds": 30})
				}()
			}
			who.asked(t, 1)
			close(ready)
			for range calls {
				if got := <-ended; got.Status != tt.status || tt.decisions == nil && !strings.Contains(got.NextStep, "Do not ask again by yourself") {
					t.Errorf("%s: %q, %q", got.Status, got.Summary, got.NextStep)
				}
			}
			if d := bed.Sandbox.Decisions(string(created.RunID)); !slices.Equal(d, tt.decisions) || len(who.questions()) != 1 {
				t.Errorf("sent %v, asked %d times", d, len(who.questions()))
			}
		})
	}
}

// TestTwoSessions of one key: each is asked, the first decision wins, and the other
// client is told to take its dialog away. In the 2026-07-28 protocol one round at a
// time asks.
func TestTwoSessions(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, nil)
		created := paused(t, bed, version, "ON_START", "steps=1")
		ready, withdrawn := make(chan bool), make(chan bool, 1)
		fast := &person{answers: []answer{after(ready, chooses("approve"))}}
		slow := &person{answers: []answer{func(ctx context.Context, p *sdk.ElicitParams) (*sdk.ElicitResult, error) {
			<-ctx.Done()
			withdrawn <- true
			return chooses("deny")(ctx, p)
		}}}
		ended := make(chan tools.RunResult, 2)
		wait := func(who *person) {
			ended <- testbed.Call[tools.RunResult](t, bed.ConnectWith(version, who.options()), "get_run", map[string]any{"runId": created.RunID, "waitSeconds": 30})
		}
		go wait(fast)
		fast.asked(t, 1)
		go wait(slow)
		if version != testbed.Newest {
			slow.asked(t, 1)
		}
		close(ready)
		for range 2 {
			if got := <-ended; got.Status != "SUCCESS" {
				t.Errorf("%s: %q", got.Status, got.Summary)
			}
		}
		if version != testbed.Newest {
			<-withdrawn
		}
		if d := bed.Sandbox.Decisions(string(created.RunID)); !slices.Equal(d, []sandbox.Decision{"approve"}) {
			t.Errorf("sent %v", d)
		}
	})
}

// TestBusyElsewhere: a call of the 2026-07-28 protocol whose person another call is
// asking waits on, and says so.
func TestBusyElsewhere(t *testing.T) {
	t.Parallel()
	bed := testbed.New(t, human, nil)
	created := paused(t, bed, testbed.Newest, "ON_START", "steps=1")
	s := byHand(bed)
	state := asked(t, s, "get_run", map[string]any{"runId": created.RunID, "waitSeconds": 30}).RequestState
	for _, tool := range []string{"get_run", "create_run"} {
		args := map[string]any{"runId": created.RunID, "waitSeconds": 1}
		if tool == "create_run" { // another run is another question
			args = map[string]any{"intent": "x", "context": "sandbox: step_ms=1", "approvalStrategy": "ON_START", "waitSeconds": 30}
		}
		result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
		if err != nil || result.NeedsInput() != (tool == "create_run") {
			t.Fatalf("%s: %+v, %v", tool, result, err)
		}
		if text := fmt.Sprint(result.StructuredContent); tool == "get_run" && (!strings.Contains(text, "being asked to decide by another call") || !strings.Contains(text, "call get_run with runId and waitSeconds 45 now")) {
			t.Error(text)
		}
	}
	if got := answered(t, s, "get_run", map[string]any{"runId": created.RunID, "waitSeconds": 30}, state); got.IsError || len(bed.Sandbox.Decisions(string(created.RunID))) != 1 {
		t.Errorf("got %+v", got.Content[0])
	}
}

// TestLateAnswer: the question outlives its call; its answer counts once, whether a
// call waits for it by then or not.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{"approve", "deny"} {
		for _, joined := range []bool{true, false} {
			bed := testbed.New(t, human, nil)
			created := paused(t, bed, testbed.Oldest, "ON_START", "steps=1")
			ready := make(chan bool)
			who := &person{answers: []answer{after(ready, chooses(decision))}}
			s := bed.ConnectWith(testbed.Oldest, who.options())
			wait := func(seconds int) tools.RunResult {
				return testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": created.RunID, "waitSeconds": seconds})
			}
			got := wait(1)
			if got.Status != "PAUSED" || !strings.Contains(got.Summary, "the question stays open when this call has ended") || !strings.Contains(got.NextStep, string("runs-mcp-server approve "+created.RunID)) {
				t.Errorf("got %+v", got)
			}
			ended := make(chan tools.RunResult, 1)
			if joined {
				go func() { ended <- wait(30) }()
			}
			close(ready)
			if joined {
				got = <-ended
			} else {
				for len(bed.Sandbox.Decisions(string(created.RunID))) == 0 && !t.Failed() {
				}
				for got = wait(0); !got.Finished; got = wait(30) {
				}
			}
			if d := bed.Sandbox.Decisions(string(created.RunID)); !got.Finished || len(d) != 1 || string(d[0]) != decision || len(who.questions()) != 1 {
				t.Errorf("%s, joined %t: %s, sent %v, asked %d times", decision, joined, got.Status, d, len(who.questions()))
			}
		}
	}
}

// TestErrorForAnAnswer: the client could not ask, and nobody is said to have been.
func TestErrorForAnAnswer(t *testing.T) {
	bed := testbed.New(t, human, nil)
	created := paused(t, bed, testbed.Oldest, "ON_START", "")
	who := &person{answers: []answer{func(context.Context, *sdk.ElicitParams) (*sdk.ElicitResult, error) {
		return nil, fmt.Errorf("no dialog here")
	}}}
	s := bed.ConnectWith(testbed.Oldest, who.options())
	for range 2 {
		got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": created.RunID, "waitSeconds": 30})
		if !strings.Contains(got.Summary, "could not ask the user") || strings.Contains(got.Summary, "was asked") || !strings.HasPrefix(got.NextStep, string("Tell the user to decide in a terminal: `runs-mcp-server approve "+created.RunID)) {
			t.Errorf("%q, %q", got.Summary, got.NextStep)
		}
	}
	if len(who.questions()) != 1 {
		t.Errorf("asked %d times", len(who.questions()))
	}
}

// TestWrongApprovalBurnsNothing: an answer that comes with a wrong approvalId stays
// good for its own.
func TestWrongApprovalBurnsNothing(t *testing.T) {
	bed := testbed.New(t, human, nil)
	created := paused(t, bed, testbed.Newest, "ON_START", "")
	s := byHand(bed)
	args := map[string]any{"runId": created.RunID}
	state := asked(t, s, "approve", args).RequestState
	wrong := map[string]any{"runId": created.RunID, "approvalId": "aaaaaaaaaaaaaaaa"}
	if got := answered(t, s, "approve", wrong, state); !got.IsError {
		t.Errorf("got %+v", got.Content[0])
	}
	if got := answered(t, s, "approve", args, state); got.IsError || len(bed.Sandbox.Decisions(string(created.RunID))) != 1 {
		t.Errorf("got %+v", got.Content[0])
	}
}
