package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// byHand connects a client of the 2026-07-28 protocol that hands input rounds
// to the test.
func byHand(bed *testbed.Bed) *sdk.ClientSession {
	o := (&person{}).options()
	o.MultiRoundTrip = &sdk.MultiRoundTripOptions{Disabled: true}
	return bed.ConnectWith(testbed.Newest, o)
}

// asked calls a tool that must answer with a question.
func asked(t *testing.T, s *sdk.ClientSession, tool string, args map[string]any) *sdk.CallToolResult {
	t.Helper()
	result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil || !result.NeedsInput() || result.RequestState == "" || len(result.InputRequests) != 1 {
		t.Fatalf("%s does not ask: %+v, %v", tool, result, err)
	}
	return result
}

// answered repeats a call with the person's answer and a state.
func answered(t *testing.T, s *sdk.ClientSession, tool string, args map[string]any, state string) *sdk.CallToolResult {
	t.Helper()
	result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args, RequestState: state,
		InputResponses: sdk.InputResponseMap{"decision": &sdk.ElicitResult{Action: "accept", Content: map[string]any{"decision": "approve"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// refused fails the test unless a round was refused with a code.
func refused(t *testing.T, what string, result *sdk.CallToolResult, code string) {
	t.Helper()
	if text := result.Content[0].(*sdk.TextContent).Text; !result.IsError || !strings.HasPrefix(text, code+": ") || !strings.Contains(text, "create nothing") {
		t.Errorf("%s: got %s", what, text)
	}
}

// TestRoundsAreBound: an answer counts for the caller, the tool, the run and
// the approval that was asked about, once.
func TestRoundsAreBound(t *testing.T) {
	bed := testbed.New(t, human, nil)
	one, other := paused(t, bed, testbed.Newest, "ON_START", ""), paused(t, bed, testbed.Newest, "ON_START", "")
	s := byHand(bed)
	args := map[string]any{"runId": one.RunID}
	state := asked(t, s, "approve", args).RequestState

	for i := range len(state) {
		altered := []byte(state)
		altered[i] ^= 1 << (i % 7)
		if !strings.Contains("\"\\", string(altered[i])) && altered[i] >= ' ' {
			refused(t, "altered", answered(t, s, "approve", args, string(altered)), "invalid_argument")
		}
	}
	refused(t, "no state", answered(t, s, "approve", args, ""), "invalid_argument")
	refused(t, "another tool", answered(t, s, "get_run", args, state), "invalid_argument")
	theirs := *bed
	for name, caller := range map[string]client.Caller{
		"another key":  {Key: "another-key-another-key", UserID: bed.Caller.UserID},
		"another user": {Key: bed.Caller.Key, UserID: "user-2"},
	} {
		theirs.Caller = caller
		refused(t, name, answered(t, byHand(&theirs), "approve", args, state), "invalid_argument")
	}
	refused(t, "another run", answered(t, s, "approve", map[string]any{"runId": other.RunID}, state), "invalid_argument")
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Fatalf("%d tokens were sent", n)
	}
	if result := answered(t, s, "approve", args, state); result.IsError {
		t.Errorf("the answer itself: %v", result.Content[0])
	}
	refused(t, "used twice", answered(t, s, "approve", args, state), "conflict")
	if d := bed.Sandbox.Decisions(string(one.RunID)); !slices.Equal(d, []sandbox.Decision{"approve"}) || bed.Sandbox.Stats().ApprovalCalls != 1 {
		t.Errorf("the API took %v", d)
	}
}

// TestRoundsNeverCreate: a create whose round cannot be opened creates nothing.
func TestRoundsNeverCreate(t *testing.T) {
	bed := testbed.New(t, human, nil)
	s := byHand(bed)
	args := map[string]any{"intent": "x", "context": "sandbox: step_ms=1 steps=1", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30}
	state := asked(t, s, "create_run", args).RequestState
	refused(t, "no state", answered(t, s, "create_run", args, ""), "invalid_argument")
	refused(t, "altered", answered(t, s, "create_run", args, "A"+state), "invalid_argument")
	if result := answered(t, s, "create_run", args, state); result.IsError || !strings.Contains(result.Content[0].(*sdk.TextContent).Text, `"status":"SUCCESS"`) {
		t.Errorf("got %v", result.Content[0])
	}
	refused(t, "used twice", answered(t, s, "create_run", args, state), "conflict")
	if n := bed.Sandbox.Stats().Creates; n != 1 {
		t.Errorf("%d runs were created", n)
	}
}

// TestAnswerToAnotherQuestion is none: what waits now was not shown, and the
// person is asked about it.
func TestAnswerToAnotherQuestion(t *testing.T) {
	bed := testbed.New(t, human, nil)
	created := paused(t, bed, testbed.Newest, "ON_TOOL_CALL", "steps=2")
	s := byHand(bed)
	args := map[string]any{"runId": created.RunID}
	state := asked(t, s, "approve", args).RequestState
	if err := bed.API.Approve(t.Context(), bed.Caller, tokensOf(t, bed, string(created.RunID), "approve")[0]); err != nil {
		t.Fatal(err)
	}
	for len(tokensOf(t, bed, string(created.RunID), "approve")) < 2 {
	}
	result := answered(t, s, "approve", args, state)
	if !result.NeedsInput() && !result.IsError {
		t.Errorf("an answer about the first step decided: %+v", result)
	}
	if n := len(bed.Sandbox.Decisions(string(created.RunID))); n != 1 {
		t.Errorf("%d decisions", n)
	}
}

// TestAnswerHasItsName: what came under another name answers nothing that was
// asked.
func TestAnswerHasItsName(t *testing.T) {
	bed := testbed.New(t, human, nil)
	s := byHand(bed)
	yes := &sdk.ElicitResult{Action: "accept", Content: map[string]any{"decision": "approve"}}
	for range 10 { // a map has no order
		for _, answers := range []sdk.InputResponseMap{{"other": yes}, {"decision": &sdk.ElicitResult{Action: "decline"}, "other": yes, "authorization": yes}} {
			args := map[string]any{"runId": paused(t, bed, testbed.Newest, "ON_START", "").RunID}
			result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "approve", Arguments: args,
				RequestState: asked(t, s, "approve", args).RequestState, InputResponses: answers})
			if err != nil || result.IsError || bed.Sandbox.Stats().ApprovalCalls != 0 {
				t.Fatalf("%d tokens were sent: %+v, %v", bed.Sandbox.Stats().ApprovalCalls, result, err)
			}
		}
	}
}

// TestAnswersOfNone are answers without a state, too: they never create.
func TestAnswersOfNone(t *testing.T) {
	bed := testbed.New(t, human, nil)
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_run","arguments":{"intent":"x"},"inputResponses":{},"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	answer, err := json.Marshal(bed.MCP.HandleMessage(client.WithCaller(t.Context(), bed.Caller), json.RawMessage(call)))
	if err != nil || !strings.Contains(string(answer), "create nothing") || bed.Sandbox.Stats().Creates != 0 {
		t.Errorf("%d runs were created: %s, %v", bed.Sandbox.Stats().Creates, answer, err)
	}
}

// twin is an event that asks to approve what all of them ask.
func twin(n int) string {
	return fmt.Sprintf(`{"id":%d,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":[{"toolCallId":"%[1]d","toolName":"pay"}],`+
		`"approvalActions":[{"action":"approve","url":"https://x/v1/runs/approval?token=a-token-%[1]d"}]}}`, n)
}

// TestAnswerToATwin is none: two approvals may read alike, and one was asked
// about.
func TestAnswerToATwin(t *testing.T) {
	bed := testbed.New(t, human, scripted("PAUSED", "["+twin(1)+","+twin(2)+"]"))
	s := byHand(bed)
	seen := testbed.Call[tools.RunResult](t, bed.Connect(testbed.Newest, nil), "get_run", map[string]any{"runId": unknownRun}).PendingApprovals
	about := func(i int) map[string]any {
		return map[string]any{"runId": unknownRun, "approvalId": seen[i].ApprovalID}
	}
	first := asked(t, s, "approve", about(0))
	if result := answered(t, s, "approve", about(1), first.RequestState); !result.NeedsInput() {
		t.Errorf("an answer about the first decided: %v", result.Content[0])
	}
}

// TestAnswerToTheSecond decides that, though an earlier approval turned up since.
func TestAnswerToTheSecond(t *testing.T) {
	var took []string
	replica := func(events string) *sdk.ClientSession {
		return byHand(testbed.New(t, human, func(box http.Handler) http.Handler {
			api := scripted("PAUSED", "["+events+"]")(box)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/approval") {
					took = append(took, r.URL.Query().Get("token"))
				}
				api.ServeHTTP(w, r)
			})
		}))
	}
	for tool, args := range map[string]map[string]any{"get_run": {"runId": unknownRun, "waitSeconds": 1}, "approve": {"runId": unknownRun}} {
		took = nil
		state := asked(t, replica(twin(2)), tool, args).RequestState
		answered(t, replica(twin(1)+","+twin(2)), tool, args, state)
		if !slices.Equal(took, []string{"a-token-2"}) {
			t.Errorf("%s: the API took %v", tool, took)
		}
	}
}

// TestAnswerToAnotherLink is none: the person went elsewhere.
func TestAnswerToAnotherLink(t *testing.T) {
	t.Parallel()
	replica := func(link string) *sdk.ClientSession {
		return byHand(testbed.New(t, human, scripted("AUTH_REQUIRED", `[{"id":1,"event":"authentication","runStatus":"AUTH_REQUIRED",`+
			`"auth":{"status":"required","url":"https://auth.test/`+link+`","integrationName":"Jira"}}]`)))
	}
	args := map[string]any{"runId": unknownRun, "waitSeconds": 1}
	for link, asks := range map[string]bool{"one": false, "other": true} {
		one := replica("one")
		result, err := replica(link).CallTool(t.Context(), &sdk.CallToolParams{Name: "get_run", Arguments: args, RequestState: asked(t, one, "get_run", args).RequestState,
			InputResponses: sdk.InputResponseMap{"authorization": &sdk.ElicitResult{Action: "accept"}}})
		if err != nil || result.NeedsInput() != asks {
			t.Errorf("it asks again: %t, want %t; %v", result.NeedsInput(), asks, err)
		}
	}
}

// TestQuestionThatChanges from round to round is put three times and no more, and
// no answer to an earlier one decides.
func TestQuestionThatChanges(t *testing.T) {
	eachAskingRevision(t, testQuestionThatChanges)
}

func testQuestionThatChanges(t *testing.T, version string) {
	plans := 0
	bed := testbed.New(t, human, func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/execution-plans/") {
				plans++
				fmt.Fprintf(w, `{"planType":"json","plan":{"steps":[{"id":"1","description":"Plan %d"}]}}`, plans)
				return
			}
			box.ServeHTTP(w, r)
		})
	})
	created := paused(t, bed, version, "ON_START", "")
	who := &person{answers: slices.Repeat([]answer{chooses("approve")}, 20)}
	s := bed.ConnectWith(version, who.options())
	f := testbed.Fail(t, s, "approve", map[string]any{"runId": created.RunID})
	asked := who.questions()
	if f.Code != "conflict" || !strings.Contains(f.Message, "changed 3 times") || len(asked) != 3 || bed.Sandbox.Stats().ApprovalCalls != 0 {
		t.Errorf("%d questions, %d tokens sent, %+v", len(asked), bed.Sandbox.Stats().ApprovalCalls, f)
	}
	for i, q := range asked {
		if changed := strings.HasPrefix(q.Message, "Changed: "); changed != (i > 0) || strings.Contains(q.Message, "Changed: ") != changed {
			t.Errorf("question %d: %s", i, q.Message)
		}
	}
	// A call that waits ends like that, and says so.
	got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": created.RunID, "waitSeconds": 30})
	if got.WaitEnded != "needs_person" || !strings.Contains(got.Summary, "changed 3 times while the user was asked. Nothing was sent.") || !strings.Contains(got.NextStep, "Do not ask again") || len(who.questions()) != 6 {
		t.Errorf("%d questions, got %+v", len(who.questions()), got)
	}
}

// TestRoundsCountOn: the progress of one call grows from round to round, for
// clients use one token for all of them; and what the first round has to say of
// the run's links is said in the last.
func TestRoundsCountOn(t *testing.T) {
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, func(o *tools.Options) {
			human(o)
			o.Feeds = feed.NewHub(o.API, o.Decider, feed.Options{Pins: 1})
			t.Cleanup(o.Feeds.Close)
		}, nil)
		paused(t, bed, version, "ON_START", "") // is kept
		who := &person{answers: []answer{chooses("approve"), chooses("approve")}}
		counts := make(chan float64, 100)
		o := who.options()
		o.ProgressNotificationHandler = func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { counts <- r.Params.Progress }
		got := testbed.Call[tools.RunResult](t, bed.ConnectWith(version, o), "create_run", map[string]any{
			"intent": "x", "context": "sandbox: step_ms=1 steps=2", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30})
		for want := range 9 {
			if n := <-counts; int(n) != want+1 {
				t.Errorf("progress %v, want %d", n, want+1)
			}
		}
		if len(who.questions()) != 2 || !strings.Contains(got.Summary, "Too many runs with approvals are watched") {
			t.Errorf("%d questions, %q", len(who.questions()), got.Summary)
		}
	})
}

// TestRoundsKeepTheirRun: a create that comes back with an answer goes on with
// the run it made, whatever its arguments are by now.
func TestRoundsKeepTheirRun(t *testing.T) {
	args := map[string]any{"intent": "x", "context": "sandbox: step_ms=1 steps=1", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": 30}
	for name, changed := range map[string]map[string]any{
		"no wait":      {"intent": "x"},
		"other intent": {"intent": "y", "waitSeconds": 1},
		"no intent":    {"intent": " "},
		"other user":   {"intent": "x", "userId": "somebody"},
	} {
		bed := testbed.New(t, human, nil)
		s := byHand(bed)
		result := answered(t, s, "create_run", changed, asked(t, s, "create_run", args).RequestState)
		if text := result.Content[0].(*sdk.TextContent).Text; result.IsError || !strings.Contains(text, `"status":"SUCCESS","intent":"x"`) || bed.Sandbox.Stats().Creates != 1 {
			t.Errorf("%s: %d runs were created: %s", name, bed.Sandbox.Stats().Creates, text)
		}
	}
}

// TestAlteredApprovalID names nothing, whatever bit of it is altered.
func TestAlteredApprovalID(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	created := paused(t, bed, testbed.Newest, "ON_START", "")
	s := bed.Connect(testbed.Newest, nil)
	id := created.PendingApprovals[0].ApprovalID
	for i := range len(id) {
		for bit := range 7 {
			altered := []byte(id)
			altered[i] ^= 1 << bit
			f := testbed.Fail(t, s, "approve", map[string]any{"runId": created.RunID, "decision": "approve", "approvalId": string(altered)})
			if f.Code != "invalid_argument" {
				t.Fatalf("bit %d of %d: %+v", bit, i, f)
			}
		}
	}
	if n := bed.Sandbox.Stats().ApprovalCalls; n != 0 {
		t.Errorf("%d tokens were sent", n)
	}
}

// TestRoundStaysGood for its own run where it came with another's, and goes on
// with the run it made whatever the arguments have become.
func TestRoundStaysGood(t *testing.T) {
	bed := testbed.New(t, human, nil)
	s := byHand(bed)
	one, other := paused(t, bed, testbed.Newest, "ON_START", ""), paused(t, bed, testbed.Newest, "ON_START", "")
	state := asked(t, s, "approve", map[string]any{"runId": one.RunID}).RequestState
	if got := answered(t, s, "approve", map[string]any{"runId": other.RunID}, state); !got.IsError {
		t.Errorf("another run took the answer: %+v", got)
	}
	if got := answered(t, s, "approve", map[string]any{"runId": one.RunID}, state); got.IsError || len(bed.Sandbox.Decisions(string(one.RunID))) != 1 {
		t.Errorf("its own run did not: %+v", got.Content[0])
	}
	creates := bed.Sandbox.Stats().Creates
	state = asked(t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=1", "approvalStrategy": "ON_START", "waitSeconds": 30}).RequestState
	got := answered(t, s, "create_run", map[string]any{"intent": "", "waitSeconds": 600}, state)
	if n := bed.Sandbox.Stats().Creates - creates; got.IsError || n != 1 || !strings.Contains(got.Content[0].(*sdk.TextContent).Text, "SUCCESS") {
		t.Errorf("%d runs: %+v", n, got.Content[0])
	}
}
