package tools

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
)

// TestNormalizeArgument takes a run's id out of its address.
func TestNormalizeArgument(t *testing.T) {
	id := string(aRun)
	for _, tt := range []struct{ name, text, want string }{
		{"runId", " " + strings.ToUpper(id) + " ", id},
		{"runId", "RUN://" + id, id},
		{"runId", "run://" + id + "/events?afterEventId=3", id},
		{"runId", "run://" + id + "/result", "run://" + id + "/result"},
		{"runId", "run://" + id + "/plan", "run://" + id + "/plan"},
		{"runId", "https://x/" + id, "https://x/" + id},
		{"runId", "a/b", "a/b"},
		{"intent", " RUN://x ", " RUN://x "},
	} {
		if got := normalizeArgument(tt.name, tt.text); got != tt.want {
			t.Errorf("%s %q: %q", tt.name, tt.text, got)
		}
	}
}

// TestDecisionNote says what became of a decision that the call knows of.
func TestDecisionNote(t *testing.T) {
	for _, tt := range []struct {
		o    *attend.Outcome
		want string
	}{
		{nil, ""},
		{&attend.Outcome{Status: attend.Sending}, "the user has decided, and the decision is being sent"},
		{&attend.Outcome{Status: attend.Sent, Decision: "deny"}, "the decision to deny was sent"},
		{&attend.Outcome{Status: attend.Sent, Decision: "deny", Err: &client.Error{Kind: client.Conflict}}, ""},
		{&attend.Outcome{Status: attend.Declined}, ""},
	} {
		c := &call{}
		if c.noteOutcome(tt.o); c.decisionNote() != tt.want {
			t.Errorf("%+v: %q", tt.o, c.decisionNote())
		}
	}
	c := &call{resume: &attend.Resume{Answer: attend.Answer{Decision: "deny"}}}
	if c.decisionNote() != "the user's decision was not sent" {
		t.Error(c.decisionNote())
	}
	if c.resume.Answer.Decision = ""; c.decisionNote() != "" {
		t.Error(c.decisionNote())
	}
}

// TestResumeOf holds that an answer counts for its own run.
func TestResumeOf(t *testing.T) {
	c := &call{tool: "create_run", resume: &attend.Resume{RoundState: attend.RoundState{RunID: aRun}}}
	if r, err := c.resumeOf(aRun); r != c.resume || err != nil {
		t.Errorf("got %v, %v", r, err)
	}
	if r, err := c.resumeOf("other"); r != nil || !errors.Is(err, attend.ErrNotSealed) {
		t.Errorf("got %v, %v", r, err)
	}
	if r, err := (&call{}).resumeOf(aRun); r != nil || err != nil {
		t.Errorf("got %v, %v", r, err)
	}
}

// TestDeadlines: a call waits from its arrival, or for what was left before its
// question, and reads the run some seconds longer.
func TestDeadlines(t *testing.T) {
	at := time.Now()
	c := &call{at: at}
	if got := c.waitDeadline(10); !got.Equal(at.Add(10 * time.Second)) {
		t.Error(got)
	}
	if got := c.answerDeadline(10); !got.Equal(at.Add(14500 * time.Millisecond)) {
		t.Error(got)
	}
	c.at = at.Add(-time.Minute)
	if got := c.answerDeadline(10); got.Before(at.Add(readTimeout)) || got.After(time.Now().Add(readTimeout)) {
		t.Error(got)
	}
	c.at, c.resume = at, &attend.Resume{RoundState: attend.RoundState{TimeLeft: 3 * time.Second}}
	if got := c.waitDeadline(10); !got.Equal(at.Add(3 * time.Second)) {
		t.Error(got)
	}
}

// TestWaitEnded fits the status that was read.
func TestWaitEnded(t *testing.T) {
	for _, tt := range []struct {
		end    string
		status client.Status
		want   string
	}{
		{"", client.Success, ""},
		{"", client.Running, ""},
		{attend.TimeUp, client.Success, attend.Finished},
		{attend.NeedsPerson, client.Failed, attend.Finished},
		{attend.Finished, client.Running, attend.TimeUp},
		{attend.Finished, client.Success, attend.Finished},
		{attend.NeedsPerson, client.Paused, attend.NeedsPerson},
		{attend.TimeUp, client.Running, attend.TimeUp},
	} {
		if got := waitEnded(tt.end, tt.status); got != tt.want {
			t.Errorf("%q, %s: %q", tt.end, tt.status, got)
		}
	}
}

// TestAbortFailure: an abort is a failure where nobody knows what happened, or where
// the API refused it and the run goes on.
func TestAbortFailure(t *testing.T) {
	unknown, refused, unread := &client.Error{Kind: client.OutcomeUnknown}, &client.Error{Kind: client.Conflict}, errors.New("unread")
	h := newHandlers(Options{})
	for _, tt := range []struct {
		name     string
		abortErr error
		status   client.Status
		readErr  error
		want     string
	}{
		{"aborted", nil, client.Running, nil, ""},
		{"lost, but over", unknown, client.CanceledRun, nil, ""},
		{"refused, for it was over", refused, client.Success, nil, ""},
		{"refused", refused, client.Running, nil, refused.Error()},
		{"refused and unread", refused, "", unread, refused.Error()},
		{"unread", nil, "", unread, "outcome_unknown: the run was told to stop, but its state cannot be read"},
		{"lost and unread", unknown, "", unread, "outcome_unknown: whether the run was told to stop is unknown, and its state cannot be read"},
		{"lost", unknown, client.Running, nil, "outcome_unknown: whether the run was told to stop is unknown; it has not ended yet"},
	} {
		got := reading{}
		if tt.readErr == nil {
			got.Snapshot = feed.Snapshot{Run: &client.Run{Status: tt.status}}
		}
		err := h.abortFailure(tt.abortErr, got, tt.readErr)
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestDescribeAbort says what the abort did.
func TestDescribeAbort(t *testing.T) {
	for _, tt := range []struct {
		abortErr error
		status   client.Status
		want     string
	}{
		{nil, client.CanceledRun, "The run was aborted: it is CANCELED."},
		{&client.Error{Kind: client.OutcomeUnknown}, client.CanceledRun, "The run is CANCELED; whether by this call is unknown."},
		{&client.Error{Kind: client.Conflict}, client.CanceledRun, "The run had ended already, with CANCELED; nothing was aborted."},
		{nil, client.Success, "The run had ended already, with SUCCESS; nothing was aborted."},
		{nil, client.Running, "The run was told to stop. As it was."},
	} {
		r := &RunResult{Summary: "As it was.", NextStep: "As before.", Finished: tt.status.Terminal()}
		describeAbort(r, reading{Snapshot: feed.Snapshot{Run: &client.Run{Status: tt.status}}}, tt.abortErr)
		if r.Summary != tt.want || (r.NextStep == "As before.") == (tt.abortErr == nil && tt.status == client.CanceledRun) {
			t.Errorf("%v, %s: %+v", tt.abortErr, tt.status, r)
		}
	}
}

// TestOperatorsLimits: a call narrows what the operator set, and never widens it.
func TestOperatorsLimits(t *testing.T) {
	for _, tt := range []struct {
		o       Options
		user    string
		asked   string
		want    string
		refused bool
	}{
		{Options{}, "u", "", "u", false},
		{Options{}, "u", "u", "u", false},
		{Options{}, "u", "v", "", true},
		{Options{AllowAnyUser: true}, "u", "v", "v", false},
		{Options{}, "", "v", "v", false},
		{Options{}, "", "", "", false},
	} {
		got, err := (newHandlers(tt.o)).userOf(client.Caller{UserID: tt.user}, tt.asked)
		if got != tt.want || (err != nil) != tt.refused {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
	for _, tt := range []struct {
		o       Options
		asked   []string
		want    []string
		refused bool
	}{
		{Options{Integrations: []string{"a", "b"}}, nil, []string{"a", "b"}, false},
		{Options{Integrations: []string{"a", "b"}}, []string{"b"}, []string{"b"}, false},
		{Options{Integrations: []string{"a", "b"}}, []string{"b", "c"}, nil, true},
		{Options{Integrations: []string{"a", "b"}}, []string{"*"}, nil, true},
		{Options{Integrations: []string{"a"}, AllowAnyIntegration: true}, []string{"c"}, []string{"c"}, false},
		{Options{Integrations: []string{"*"}}, []string{"c"}, []string{"c"}, false},
		{Options{}, []string{"c"}, []string{"c"}, false},
	} {
		got, err := (newHandlers(tt.o)).integrationsOf(tt.asked)
		if !slices.Equal(got, tt.want) || (err != nil) != tt.refused {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

// TestMergePassThrough: the call's data go before the operator's, which go to selected
// integrations only.
func TestMergePassThrough(t *testing.T) {
	data := func(id, by string) client.PassThrough {
		return client.PassThrough{CustomerIntegrationID: id, Headers: map[string]json.RawMessage{"by": json.RawMessage(by)}}
	}
	h := newHandlers(Options{PassThrough: map[string]client.PassThrough{"a": data("a", "operator"), "b": data("b", "operator")}})
	for _, tt := range []struct {
		name         string
		integrations []string
		given        []client.PassThrough
		want         string
	}{
		{"none selected", []string{"c"}, nil, ""},
		{"one", []string{"b", "c"}, nil, "b:operator"},
		{"all", []string{"*"}, nil, "a:operator b:operator"},
		{"the call's first", []string{"*"}, []client.PassThrough{data("z", "call"), data("a", "call")}, "a:call b:operator z:call"},
	} {
		merged, err := h.mergePassThrough(tt.integrations, tt.given)
		var got []string
		for _, p := range merged {
			got = append(got, p.CustomerIntegrationID+":"+string(p.Headers["by"]))
		}
		if strings.Join(got, " ") != tt.want || err != nil {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
	if _, err := h.mergePassThrough(nil, []client.PassThrough{data("a", "call"), data("c", "call"), data("a", "call")}); err == nil || err.Error() != "invalid_argument: passThrough.2.customerIntegrationId names an integration twice" {
		t.Errorf("got %v", err)
	}
	if _, err := h.mergePassThrough(nil, []client.PassThrough{data("c", "call"), {CustomerIntegrationID: "d", Values: &client.Credentials{}}}); err == nil || !strings.HasPrefix(err.Error(), "invalid_argument: passThrough.1 ") {
		t.Errorf("got %v", err)
	}
}
