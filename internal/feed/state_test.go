package feed

import (
	"encoding/json"
	"fmt"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// TestApply: a state after events.
func TestApply(t *testing.T) {
	required, denied := &client.Auth{Status: "required"}, &client.Auth{Status: "denied"}
	for _, tt := range []struct {
		name   string
		events []client.Event
		want   string // status, since, last, whether an authorisation waits
	}{
		{"nothing", nil, " 0 0 false"},
		{"a status", []client.Event{{ID: 3, RunStatus: client.Running}}, "RUNNING 3 3 false"},
		{"the same status again", []client.Event{{ID: 3, RunStatus: client.Running}, {ID: 4, RunStatus: client.Running}}, "RUNNING 3 4 false"},
		{"no status", []client.Event{{ID: 3, RunStatus: client.Running}, {ID: 4}}, "RUNNING 3 4 false"},
		{"another status", []client.Event{{ID: 3, RunStatus: client.Running}, {ID: 4, RunStatus: client.Paused}}, "PAUSED 4 4 false"},
		{"an authorisation", []client.Event{{ID: 3, RunStatus: client.AuthRequired, Auth: required}}, "AUTH_REQUIRED 3 3 true"},
		{"a second one", []client.Event{{ID: 3, RunStatus: client.AuthRequired, Auth: required}, {ID: 4, RunStatus: client.AuthRequired, Auth: required}}, "AUTH_REQUIRED 4 4 true"},
		{"an authorisation while it runs", []client.Event{{ID: 3, RunStatus: client.Running, Auth: required}}, "RUNNING 3 3 true"},
		{"and what comes next", []client.Event{{ID: 3, RunStatus: client.Running, Auth: required}, {ID: 4}}, "RUNNING 3 4 false"},
		{"what comes next while it waits", []client.Event{{ID: 3, RunStatus: client.AuthRequired, Auth: required}, {ID: 4, Auth: denied}}, "AUTH_REQUIRED 3 4 true"},
		{"it goes on", []client.Event{{ID: 3, RunStatus: client.AuthRequired, Auth: required}, {ID: 4, RunStatus: client.Running}}, "RUNNING 4 4 false"},
	} {
		var s State
		for _, e := range tt.events {
			s.apply(e)
		}
		if got := fmt.Sprint(s.Status, " ", s.Since, s.Last, s.Auth != nil); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestNeedsPerson: a need counts from the event with which it began.
func TestNeedsPerson(t *testing.T) {
	pending := []approval.Pending{{ID: "a", EventID: 5}}
	for _, tt := range []struct {
		s     State
		after int64
		want  bool
	}{
		{State{}, 0, false},
		{State{Status: client.Running, Since: 5}, 4, false},
		{State{Status: client.Paused, Since: 5}, 4, true},
		{State{Status: client.Paused, Since: 5}, 5, false},
		{State{Status: client.AuthRequired, Since: 5}, 4, true},
		{State{Status: client.Running, Pending: pending}, 4, true},
		{State{Status: client.Running, Pending: pending}, 5, false},
		{State{Status: client.Paused, Since: 7, Pending: pending}, 6, true},
	} {
		if got := tt.s.NeedsPerson(tt.after); got != tt.want {
			t.Errorf("%+v after %d: %t", tt.s, tt.after, got)
		}
	}
	if s := (State{Pending: pending}); !s.Waits("a") || s.Waits("b") {
		t.Error("another approval waits")
	}
}

// TestComplete: a run has ended for its readers when it has the result that its
// status promises.
func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		status client.Status
		result string
		want   bool
	}{
		{client.Running, "{}", false}, {client.Success, "", false}, {client.Success, "null", false}, {client.Success, "{}", true}, {client.PartialSuccess, "", false},
		{client.PartialSuccess, `"x"`, true}, {client.Failed, "", true}, {client.NoSuccess, "", true}, {client.CanceledRun, "", true}, {"", "{}", false},
	} {
		if got := complete(&client.Run{Status: tt.status, Result: json.RawMessage(tt.result)}); got != tt.want {
			t.Errorf("%s with %q: %t", tt.status, tt.result, got)
		}
	}
}

// TestLagsBehind: a stored run lags behind what was seen of it, unless it has later
// events.
func TestLagsBehind(t *testing.T) {
	h := &Hub{decider: approval.NewDecider(nil)}
	one := []approval.Pending{{ID: "a"}}
	paused, ended := State{Status: client.Paused, Last: 5, Pending: one}, State{Status: client.Success, Last: 5}
	auth := State{Status: client.AuthRequired, Last: 5}
	for _, tt := range []struct {
		name   string
		stored State // its Last is the id of the newest stored event, 0 for none
		seen   State
		want   bool
	}{
		{"nothing was seen", State{Status: client.Running, Last: 1}, State{}, false},
		{"an end", State{Status: client.Running, Last: 5}, ended, true},
		{"an end, with later events", State{Status: client.Running, Last: 6}, ended, true},
		{"both ended", State{Status: client.Failed, Last: 5}, ended, false},
		{"the stored one ended", State{Status: client.Failed, Last: 5}, paused, false},
		{"a pause", State{Status: client.Running, Last: 5}, paused, true},
		{"a pause, without stored events", State{Status: client.Running}, paused, true},
		{"a pause, with later events", State{Status: client.Running, Last: 6}, paused, false},
		{"a pause of both", State{Status: client.Paused, Last: 5, Pending: one}, paused, false},
		{"a pause without its approval", State{Status: client.Paused, Last: 5}, paused, true},
		{"a pause for no approval", State{Status: client.Running, Last: 5}, State{Status: client.Paused, Last: 5}, true},
		{"an authorisation", State{Status: client.Running, Last: 5}, auth, true},
		{"an authorisation of both", State{Status: client.AuthRequired, Last: 5}, auth, false},
		{"a run that goes on", State{Status: client.Queued, Last: 5}, State{Status: client.Running, Last: 5}, false},
	} {
		run := &client.Run{Status: tt.stored.Status}
		if tt.stored.Last > 0 {
			run.Events = []client.Event{{ID: tt.stored.Last}}
		}
		if got := h.lagsBehind(Snapshot{Run: run, State: tt.stored}, tt.seen); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
