package tools

import (
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

const aRun client.RunID = "123e4567-e89b-12d3-a456-426614174000"

// TestRunSummaryText says of each state how the run stands.
func TestRunSummaryText(t *testing.T) {
	waiting := func(n int) []approval.Pending { return make([]approval.Pending, n) }
	for _, tt := range []struct {
		s    runSummary
		want string
	}{
		{runSummary{}, "The run exists; the API did not tell its status."},
		{runSummary{status: client.Success}, "The run ended with SUCCESS."},
		{runSummary{status: client.CanceledRun}, "The run ended with CANCELED: it was stopped before it was done."},
		{runSummary{status: client.Failed}, "The run ended with FAILED; that is not a full success."},
		{runSummary{status: client.Paused, shown: "PAUSED", waiting: waiting(1)}, "The run is PAUSED: an approval waits for a person."},
		{runSummary{status: client.Running, shown: "RUNNING", waiting: waiting(2)}, "The run is RUNNING: 2 approvals wait for a person."},
		{runSummary{status: client.Paused, shown: "PAUSED", waiting: waiting(10)}, "The run is PAUSED: 10 approvals wait for a person."},
		{runSummary{status: client.Paused, shown: "PAUSED", waiting: waiting(11)}, "The run is PAUSED: 11 approvals wait for a person. 10 are shown, the others follow as these are decided."},
		{runSummary{status: client.Paused, sent: true}, "The run is still PAUSED: the decision was sent, and has not shown yet."},
		{runSummary{status: client.Paused}, "The run is PAUSED: it waits for a person's approval."},
		{runSummary{status: client.AuthRequired}, "The run is AUTH_REQUIRED: a person must authorise an integration."},
		{runSummary{status: client.Queued, shown: "QUEUED"}, "The run is QUEUED."},
	} {
		if got := tt.s.text(); got != tt.want {
			t.Errorf("%+v: %s", tt.s, got)
		}
	}
}

// TestRunStep says of each state what to do, as the operator and the client allow.
func TestRunStep(t *testing.T) {
	const follow = "call get_run with runId, afterEventId 7 and waitSeconds 45"
	waiting := make([]approval.Pending, 1)
	human, agent := Options{Approvals: ApprovalsHuman}, Options{Approvals: ApprovalsAgent}
	refused := &attend.Outcome{Status: attend.Declined}
	for _, tt := range []struct {
		name string
		o    Options
		s    runSummary
		auth *Authorization
		want string
	}{
		{"going on", human, runSummary{status: client.Running}, nil, "To follow it, " + follow + "."},
		{"without get_run", Options{ExcludeTools: []string{"get_run"}}, runSummary{status: client.Running}, nil, "To follow it, read run://" + string(aRun) + "."},
		{"to ask", human, runSummary{status: client.Paused, waiting: waiting, canAsk: true}, nil, "Call approve with runId: the user is asked to decide. Then " + follow + "."},
		{"refused", human, runSummary{status: client.Paused, waiting: waiting, canAsk: true, refused: refused}, nil, "Do not ask again by yourself. "},
		{"refused, but the client cannot ask now", human, runSummary{status: client.Paused, waiting: waiting, refused: refused}, nil, "Tell the user to decide in the vendor's console. When they have, " + follow + "."},
		{"refused, the model decides", agent, runSummary{status: client.Paused, waiting: waiting, canAsk: true, refused: refused}, nil, "Judge what would happen and call approve with runId, approvalId and decision. Then " + follow + "."},
		{"the model decides", agent, runSummary{status: client.Paused, waiting: waiting}, nil, "Judge what would happen and call approve with runId, approvalId and decision. Then " + follow + "."},
		{"nobody here", Options{Approvals: ApprovalsOff}, runSummary{status: client.Paused, waiting: waiting, canAsk: true}, nil, "Tell the user to decide in the vendor's console. When they have, " + follow + "."},
		{"sent", human, runSummary{status: client.Paused, sent: true}, nil, "Do not decide again. To follow the run, " + follow + "; if it stays PAUSED, tell the user to look in the vendor's console."},
		{"no link", human, runSummary{status: client.Paused}, nil, "Tell the user to decide in the vendor's console: the API does not tell the approval's link. When they have, " + follow + "."},
		{"linked", human, runSummary{status: client.AuthRequired, linked: true, asksLink: true}, nil, "The user was sent to the link; the run goes on by itself. To follow it, " + follow + "; without afterEventId, the user is sent there again."},
		{"to send to the link", human, runSummary{status: client.AuthRequired, asksLink: true}, nil, "To have the user asked to authorise, call get_run with runId and waitSeconds 45."},
		{"to send, without get_run", Options{ExcludeTools: []string{"get_run"}}, runSummary{status: client.AuthRequired, asksLink: true}, nil, "Tell the user to authorise the integration in the vendor's console; the run goes on by itself. When they have, read run://" + string(aRun) + "."},
		{"a link to show", human, runSummary{status: client.AuthRequired}, &Authorization{URL: "https://x", IntegrationName: "Jira"}, "Show the user authorization.url to open; the run goes on by itself. When they have, " + follow + "."},
		{"a name", human, runSummary{status: client.AuthRequired}, &Authorization{IntegrationName: "Jira"}, `Tell the user to authorise the integration "Jira" in the vendor's console; the run goes on by itself. When they have, ` + follow + "."},
		{"no name", human, runSummary{status: client.AuthRequired}, &Authorization{}, "Tell the user to authorise the integration in the vendor's console; the run goes on by itself. When they have, " + follow + "."},
	} {
		h, r := newHandlers(tt.o), RunResult{LastEventID: 7, Authorization: tt.auth}
		r.RunID = aRun
		if got := h.runStep(r, tt.s); got != tt.want && (tt.name != "refused" || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// TestNextStep adds how to read what the result leaves out.
func TestNextStep(t *testing.T) {
	h := newHandlers(Options{})
	ended, failed := runSummary{status: client.Success}, runSummary{status: client.Failed}
	for _, tt := range []struct {
		name string
		r    RunResult
		s    runSummary
		page eventPage
		want string
	}{
		{"success", RunResult{Finished: true}, ended, eventPage{}, "Report the result to the user."},
		{"events are shown", RunResult{Finished: true, Events: make([]view.Event, 1), EventsLeftOut: 3}, failed, eventPage{}, "Tell the user how it ended and what the events say of it."},
		{"there are none", RunResult{Finished: true}, failed, eventPage{}, "Tell the user how it ended and what the events say of it."},
		{"none are shown", RunResult{Finished: true, EventsLeftOut: 3}, failed, eventPage{}, "Tell the user how it ended. To see what led to it, call get_run with runId and limit 50."},
		{"more events", RunResult{LastEventID: 4}, runSummary{status: client.Running}, eventPage{full: true}, "More events: call get_run with the same arguments but afterEventId 4."},
		{"more events of an ended run", RunResult{Finished: true, LastEventID: 4}, ended, eventPage{full: true}, "More events: call get_run with the same arguments but afterEventId 4. Report the result to the user."},
		{"a cut result", RunResult{Finished: true, ResultURI: "run://x/result"}, ended, eventPage{}, "Report the result to the user. The result is cut: get_run with part result reads it."},
		{"earlier events", RunResult{Finished: true}, ended, eventPage{newest: true, leftOut: 1}, "Report the result to the user. For earlier events, call get_run with runId and afterEventId 0."},
		{"no earlier events", RunResult{Finished: true}, ended, eventPage{newest: true}, "Report the result to the user."},
		{"later events", RunResult{Finished: true}, ended, eventPage{leftOut: 1}, "Report the result to the user."},
	} {
		if got := h.nextStep(tt.r, tt.s, &tt.page); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// TestWhereToDecide names the terminal and the operator's hint, with a valid id only.
func TestWhereToDecide(t *testing.T) {
	o := Options{DecideHint: "at https://x/RUN_ID", DecideCommand: "approve RUN_ID"}
	for runID, want := range map[client.RunID]string{
		aRun:     "in a terminal: `approve " + string(aRun) + "`, or at https://x/" + string(aRun),
		"":       "at https://x/{runId}",
		"; rm x": "at https://x/{runId}",
	} {
		if got := o.decideElsewhere(runID); got != want {
			t.Errorf("%q: %s", runID, got)
		}
	}
	if got := (Options{DecideHint: "there"}).decideElsewhere(aRun); got != "there" {
		t.Error(got)
	}
	if got := (Options{}).DecideElsewhereStep(aRun); got != "Tell the user to decide in the vendor's console." {
		t.Error(got)
	}
}

// TestReadingSteps name get_run, or the address where it is not offered.
func TestReadingSteps(t *testing.T) {
	with, without := Options{}.resolve(), Options{ExcludeTools: []string{"get_run"}}.resolve()
	for _, tt := range []struct{ got, want string }{
		{with.readStep(runURI(aRun, ""), "runId"), "call get_run with runId"},
		{without.readStep(runURI(aRun, ""), "runId"), "read run://" + string(aRun)},
		{without.readStep(runURI("", ""), "runId"), "read run://{runId}"},
		{with.readPart(aRun, "plan"), "get_run with part plan reads it"},
		{without.readPart(aRun, "plan"), "read run://" + string(aRun) + "/plan"},
		{with.readToolCalls(aRun, 8), "get_run with afterEventId 7, limit 1 and includeToolCalls true shows them"},
		{without.readToolCalls(aRun, 8), "read run://" + string(aRun) + "/events"},
		{with.findStep(), "look with list_runs or get_run"},
		{without.findStep(), "look with list_runs"},
		{Options{ExcludeTools: []string{"list_runs"}}.resolve().findStep(), "look with get_run"},
		{Options{Tools: []string{"approve"}}.resolve().findStep(), "tell the user"},
		{quoteNames(view.New(redact.New()), []string{"a\"b", strings.Repeat("x", 99)}), `"a\"b", "` + strings.Repeat("x", 64) + `… [35 bytes left out]"`},
		{ignoredNote(nil), ""},
		{ignoredNote([]string{"a", "b", "c", "d", "e"}), ` Ignored: this tool has no argument "a", "b", "c", "d" and 1 more.`},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

// TestOffers holds which tools the operator leaves, and that the texts know.
func TestOffers(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		name string
		want bool
	}{
		{Options{}, "create_run", true},
		{Options{}, "approve", true},
		{Options{}, "no_such_tool", false},
		{Options{ReadOnly: true}, "create_run", false},
		{Options{ReadOnly: true}, "abort_run", false},
		{Options{ReadOnly: true}, "approve", false},
		{Options{ReadOnly: true}, "get_run", true},
		{Options{ReadOnly: true}, "list_runs", true},
		{Options{Approvals: ApprovalsOff}, "approve", false},
		{Options{Approvals: ApprovalsOff}, "abort_run", true},
		{Options{Tools: []string{"approve", "get_run"}}, "get_run", true},
		{Options{Tools: []string{"approve", "get_run"}}, "list_runs", false},
		{Options{Tools: []string{"approve", "get_run"}, ExcludeTools: []string{"get_run"}}, "get_run", false},
		{Options{Tools: []string{"approve"}, Approvals: ApprovalsOff}, "approve", false},
		{Options{ExcludeTools: []string{"approve"}}, "approve", false},
		{Options{ExcludeTools: []string{"approve"}}, "get_run", true},
	} {
		if got := tt.o.Offers(tt.name); got != tt.want {
			t.Errorf("%+v: %s %t", tt.o, tt.name, got)
		}
		if got := newHandlers(tt.o).hasTool(tt.name); got != tt.want {
			t.Errorf("%+v: the texts take %s as offered: %t", tt.o, tt.name, got)
		}
	}
}
