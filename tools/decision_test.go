package tools

import (
	"errors"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
)

// TestOutcomeNotes says what came of asking, and claims that the user was asked only
// where they can have seen the question.
func TestOutcomeNotes(t *testing.T) {
	const decision, link = attend.Decision, attend.Authorization
	h := newHandlers(Options{})
	for _, tt := range []struct {
		o    attend.Outcome
		over bool
		want string
	}{
		{attend.Outcome{Status: attend.Sent, Decision: "deny"}, false, "The decision to deny was accepted by the API."},
		{attend.Outcome{Status: attend.Sent, Decision: "deny", Err: &client.Error{Kind: client.OutcomeUnknown}}, false, "The decision to deny was sent, but the API's answer was lost; it is not sent again."},
		{attend.Outcome{Status: attend.Sent, Decision: "deny", Err: &client.Error{Kind: client.OutcomeUnknown}}, true, "The decision to deny was sent. The API's answer was lost, but the run no longer waits for it."},
		{attend.Outcome{Status: attend.Sent, Decision: "deny", Err: &client.Error{Kind: client.Conflict}}, false, "The decision was not taken: the API did not take the decision: the approval was decided elsewhere or has expired."},
		{attend.Outcome{Status: attend.Unsent, Decision: "deny", Err: &client.Error{Kind: client.Timeout}}, false, "The decision to deny was not sent, for what the run waits for could not be read again: timeout."},
		{attend.Outcome{Status: attend.Changed}, false, "The user decided, but the run asks for something else by now. Nothing was sent."},
		{attend.Outcome{Status: attend.ChangedOften}, false, "What would happen changed 3 times while the user was asked. Nothing was sent."},
		{attend.Outcome{Status: attend.Gone, Decision: "deny"}, false, "The decision to deny was not sent: the run no longer waits for it."},
		{attend.Outcome{Status: attend.Gone}, false, ""},
		{attend.Outcome{Status: attend.Open}, false, "The user is being asked to decide; the question stays open when this call has ended."},
		{attend.Outcome{Status: attend.Sending}, false, "The user has decided, and the decision is being sent."},
		{attend.Outcome{Status: attend.AskedElsewhere}, false, "The user is being asked to decide by another call."},
		{attend.Outcome{Status: attend.TooMany}, false, "The user was asked often enough in one call."},
		{attend.Outcome{Status: attend.Declined, Before: true}, false, "The user was asked to decide before and did not; a waiting call does not ask again."},
		{attend.Outcome{Status: attend.Declined, Before: true, AtOnce: true}, false, "The client could not ask the user before, or refused for them; a waiting call does not ask again."},
		{attend.Outcome{Status: attend.Declined}, false, "The user was asked and did not decide: they declined to answer. Nothing was sent."},
		{attend.Outcome{Status: attend.Declined, AtOnce: true}, false, "The client declined at once; the user may not have seen the question. Nothing was sent."},
		{attend.Outcome{Status: attend.Canceled}, false, "The user was asked and did not decide: they dismissed the question. Nothing was sent."},
		{attend.Outcome{Status: attend.Canceled, AtOnce: true}, false, "The client cancelled at once; the user may not have seen the question. Nothing was sent."},
		{attend.Outcome{Status: attend.NoChoice}, false, "The user was asked and did not decide: the form came back without a choice. Nothing was sent."},
		{attend.Outcome{Status: attend.TimedOut}, false, "The user was asked and did not decide: no answer came in time. Nothing was sent."},
		{attend.Outcome{Status: attend.NotAsked}, false, "The client could not ask the user. Nothing was sent."},

		{attend.Outcome{Kind: link, Status: attend.Declined}, false, "The user declined to authorise the integration."},
		{attend.Outcome{Kind: link, Status: attend.Declined, AtOnce: true}, false, "The client did not open the link to authorise the integration; the user may not have seen it."},
		{attend.Outcome{Kind: link, Status: attend.Canceled}, false, "The user did not open the link to authorise the integration."},
		{attend.Outcome{Kind: link, Status: attend.Open}, false, "The user is being asked to open the link to authorise the integration."},
		{attend.Outcome{Kind: link, Status: attend.AskedElsewhere}, false, "The user is being asked to open the link to authorise the integration."},
		{attend.Outcome{Kind: link, Status: attend.TimedOut}, false, "The user was asked to authorise the integration, and no answer came in time."},
		{attend.Outcome{Kind: link, Status: attend.NotAsked}, false, "The client could not ask the user to authorise the integration."},
		{attend.Outcome{Kind: link, Status: attend.Opened}, false, ""},
	} {
		if tt.o.Kind == "" {
			tt.o.Kind = decision
		}
		if got := h.outcomeNote(tt.o, tt.over); got != tt.want {
			t.Errorf("%+v: %s", tt.o, got)
		}
	}
}

// TestOutcomeSteps says what to do while the run waits.
func TestOutcomeSteps(t *testing.T) {
	h := newHandlers(Options{})
	for begin, outcomes := range map[string][]attend.Outcome{
		"Do not end your turn: call get_run with runId and waitSeconds 45 now": {{Status: attend.Open}, {Status: attend.AskedElsewhere}, {Status: attend.Sending}},
		"When the user wants to be asked anew, call approve":                   {{Status: attend.Unsent}, {Status: attend.Changed}},
		"Tell the user to decide in the vendor's console.":                     {{Status: attend.NotAsked}, {Status: attend.Declined, AtOnce: true}},
		"Do not ask again by yourself. Tell the user that the run waits":       {{Status: attend.Declined}, {Status: attend.TimedOut}, {Status: attend.ChangedOften}},
	} {
		for _, o := range outcomes {
			if got := h.outcomeStep(o, aRun); !strings.HasPrefix(got, begin) {
				t.Errorf("%+v: %s", o, got)
			}
		}
	}
	for _, fate := range []attend.Status{attend.Sent, attend.Gone} {
		if got := h.outcomeStep(attend.Outcome{Status: fate}, aRun); got != "" {
			t.Errorf("%s: %s", fate, got)
		}
	}
	shown := &Authorization{URL: "https://x"}
	for _, tt := range []struct {
		o    attend.Outcome
		a    *Authorization
		want bool
	}{
		{attend.Outcome{Status: attend.Declined}, shown, true},
		{attend.Outcome{Status: attend.Canceled}, shown, true},
		{attend.Outcome{Status: attend.Canceled, AtOnce: true}, shown, false},
		{attend.Outcome{Status: attend.TimedOut}, shown, false},
		{attend.Outcome{Status: attend.Declined}, &Authorization{}, false},
		{attend.Outcome{Status: attend.Declined}, nil, false},
	} {
		if got := linkStep(tt.o, tt.a); strings.HasPrefix(got, "Do not ask again by yourself. When the user wants to authorise it") != tt.want || (got == "") == tt.want {
			t.Errorf("%+v, %+v: %s", tt.o, tt.a, got)
		}
	}
}

// TestAskFailures are the outcomes of which the approve tool makes an error.
func TestAskFailures(t *testing.T) {
	h := newHandlers(Options{})
	for _, tt := range []struct {
		o             attend.Outcome
		code          client.Kind
		message, next string
	}{
		{attend.Outcome{Status: attend.Gone}, client.Conflict, "the run no longer waits for this approval: it was decided elsewhere or is over", "To see the state"},
		{attend.Outcome{Status: attend.Gone, Decision: "deny"}, client.Conflict, "the decision was not sent: the run no longer waits for it", "To see the state"},
		{attend.Outcome{Status: attend.ChangedOften}, client.Conflict, "what would happen changed 3 times while the user was asked; nothing was sent", "Do not ask again by yourself"},
		{attend.Outcome{Status: attend.TooOften}, client.Conflict, "the user was asked about this approval 3 times within an hour, and is not asked again now; nothing was sent", "Tell the user to decide"},
		{attend.Outcome{Status: attend.Unsent, Err: &client.Error{Kind: client.Timeout}}, client.Timeout, "the decision was not sent, for what the run waits for could not be read again: timeout", "Call approve with runId again"},
	} {
		err := h.askFailure(tt.o, aRun)
		f := h.describe(err)
		if f.Code != string(tt.code) || f.Message != tt.message || !strings.HasPrefix(f.NextStep, tt.next) || !errors.Is(err, tt.o.Err) && tt.o.Err != nil {
			t.Errorf("%+v: %+v", tt.o, f)
		}
	}
	for _, fate := range []attend.Status{attend.Sent, attend.Declined, attend.Open} {
		if err := h.askFailure(attend.Outcome{Status: fate}, aRun); err != nil {
			t.Errorf("%s: %v", fate, err)
		}
	}
}

// TestDecisions: a decision that may have been taken is no failure, and says what is
// known of it.
func TestDecisions(t *testing.T) {
	lost := &client.Error{Kind: client.OutcomeUnknown}
	for _, tt := range []struct {
		d       decision
		failure string
		text    string
	}{
		{decision{Decision: "deny", known: true}, "", "The decision to deny was accepted by the API."},
		{decision{Decision: "deny"}, "", "The API took the token; which decision that was, and in which run, is not known here."},
		{decision{Decision: "deny", known: true, err: lost}, "", "The decision to deny was sent, but the API's answer was lost; it is not sent again."},
		{decision{Decision: "deny", err: lost}, "", "The token was sent, but the API's answer was lost; it is not sent again."},
		{decision{Decision: "deny", err: approval.ErrNoLink}, "approval_link_unavailable: the approval offers no link to deny", ""},
		{decision{err: approval.ErrAlreadySent}, "conflict: a decision was sent for this approval before; it is not sent twice", ""},
		{decision{err: approval.ErrOtherToken}, "invalid_argument: token ", ""},
		{decision{err: &client.Error{Kind: client.NotFound}}, "conflict: the API did not take the decision", ""},
		{decision{err: &client.Error{Kind: client.InvalidArgument}}, "conflict: the API did not take the decision", ""},
		{decision{err: &client.Error{Kind: client.Timeout, Op: "approve"}}, "approve: timeout", ""},
	} {
		err := tt.d.refusal()
		if (err == nil) != (tt.failure == "") || err != nil && !strings.HasPrefix(err.Error(), tt.failure) {
			t.Errorf("%+v: %v", tt.d, err)
		}
		if tt.text != "" && tt.d.text(false) != tt.text {
			t.Errorf("%+v: %s", tt.d, tt.d.text(false))
		}
	}
	got := func(noEvents bool, events []client.Event, pending ...string) reading {
		r := reading{Snapshot: feed.Snapshot{Run: &client.Run{Events: events}, NoEvents: noEvents}}
		for _, id := range pending {
			r.Pending = append(r.Pending, approval.Pending{ID: id})
		}
		return r
	}
	for _, tt := range []struct {
		id   string
		r    reading
		want bool
	}{
		{"a", got(false, []client.Event{}), true},
		{"a", got(false, []client.Event{}, "b"), true},
		{"a", got(false, []client.Event{}, "b", "a"), false},
		{"a", got(false, nil), false},
		{"a", got(true, []client.Event{}), false},
		{"", got(false, []client.Event{}), false},
	} {
		if over := (decision{id: tt.id}).isOver(tt.r); over != tt.want {
			t.Errorf("%q of %+v: %t", tt.id, tt.r.Pending, over)
		}
	}
}

// TestReadingWaits: a run waits for a person by its status or by its approvals.
func TestReadingWaits(t *testing.T) {
	for status, want := range map[client.Status]bool{client.Paused: true, client.AuthRequired: true, client.Running: false, client.Success: false} {
		if r := (reading{Snapshot: feed.Snapshot{Run: &client.Run{Status: status}}}); r.waits() != want || r.note() != "" {
			t.Errorf("%s: %t", status, r.waits())
		}
	}
	r := reading{Snapshot: feed.Snapshot{Run: &client.Run{Status: client.Running}, NoEvents: true}}
	r.Pending = make([]approval.Pending, 1)
	if !r.waits() || r.note() == "" {
		t.Error("an approval that waits does not count")
	}
}
