package tools

import (
	"cmp"
	"fmt"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/view"
)

// standing is how a run stands, by which it is put into words. Only our words
// and quoted names are in them: a run must not speak in our voice.
type standing struct {
	status  client.Status
	shown   string          // the status, fit to show
	waiting int             // approvals on which no decision was sent
	sent    bool            // what waited was decided, and the run has not gone on yet
	asks    bool            // the client can ask its person to decide
	refused *attend.Outcome // and they did not decide on anything that waits; nil: they were not asked about all
	links   bool            // the client can send its person to the link
	linked  bool            // and this call did
}

// askLater is what to do when a person was asked to decide and did not: no call
// asks them the same again by itself.
func (s *set) askLater(runID client.RunID) string {
	return "Do not ask again by yourself. Tell the user that the run waits for them; when they want to be asked, call approve with runId. They can also decide " + s.elsewhere(runID) + "."
}

// summary says in our own words how a run stands.
func (st standing) summary() string {
	switch {
	case st.status == "":
		return "The run exists; the API did not tell its status."
	case st.status == client.Success:
		return "The run ended with SUCCESS."
	case st.status == client.CanceledRun:
		return "The run ended with CANCELED: it was stopped before it was done."
	case st.status.Terminal():
		return "The run ended with " + string(st.status) + "; that is not a full success."
	}
	switch {
	case st.waiting == 1:
		return fmt.Sprintf("The run is %s: an approval waits for a person.", st.shown)
	case st.waiting > maxPending:
		return fmt.Sprintf("The run is %s: %d approvals wait for a person. %d are shown, the others follow as these are decided.", st.shown, st.waiting, maxPending)
	case st.waiting > 0:
		return fmt.Sprintf("The run is %s: %d approvals wait for a person.", st.shown, st.waiting)
	case st.sent:
		return "The run is still PAUSED: the decision was sent, and has not shown yet."
	case st.status == client.Paused:
		return "The run is PAUSED: it waits for a person's approval."
	case st.status == client.AuthRequired:
		return "The run is AUTH_REQUIRED: a person must authorise an integration."
	default:
		return "The run is " + st.shown + "."
	}
}

// nextStep says what to do with a run in this state; more says that later
// events were left out.
func (s *set) nextStep(r RunResult, st standing, more bool) string {
	follow := s.look(string(r.RunID), fmt.Sprintf("runId, afterEventId %d and waitSeconds %d", r.LastEventID, maxWait))
	switch {
	case more:
		step := fmt.Sprintf("More events: %s.", s.look(string(r.RunID), fmt.Sprintf("the same arguments but afterEventId %d", r.LastEventID)))
		if st.status.Terminal() {
			step += " " + s.endedStep(r, st)
		}
		return step
	case st.status.Terminal():
		return s.endedStep(r, st)
	case st.waiting > 0 && st.refused != nil && st.asks && s.Approvals != ApprovalsAgent && s.Offers("approve"):
		return s.outcomeStep(*st.refused, r.RunID)
	case st.waiting > 0 && (st.asks || s.Approvals == ApprovalsAgent) && s.Offers("approve"):
		return s.approvalStep(st.asks, r.RunID) + " Then " + follow + "."
	case st.waiting > 0:
		return s.approvalStep(st.asks, r.RunID) + " When they have, " + follow + "."
	case st.sent:
		return "Do not decide again. To follow the run, " + follow + "; if it stays PAUSED, tell the user to look " + s.decideHint(r.RunID) + "."
	case st.status == client.Paused:
		return "Tell the user to decide " + s.decideHint(r.RunID) + ": the API does not tell the approval's link. When they have, " + follow + "."
	case st.status == client.AuthRequired && st.linked:
		return "The user was sent to the link; the run goes on by itself. To follow it, " + follow + "; without afterEventId, the user is sent there again."
	case st.status == client.AuthRequired && st.links && s.Offers("get_run"):
		// No cursor: the need may be older than it, and would end no wait.
		return fmt.Sprintf("To have the user asked to authorise, call get_run with runId and waitSeconds %d.", maxWait)
	case st.status == client.AuthRequired:
		return authorizationStep(r.Authorization) + " When they have, " + follow + "."
	default:
		return "To follow it, " + follow + "."
	}
}

// endedStep says what to do with a run that has ended.
func (s *set) endedStep(r RunResult, st standing) string {
	switch {
	case st.status == client.Success:
		return "Report the result to the user."
	case len(r.Events) > 0 || r.EventsLeftOut == 0:
		return "Tell the user how it ended and what the events say of it."
	default:
		return "Tell the user how it ended. To see what led to it, " + s.look(string(r.RunID), "runId and limit 50") + "."
	}
}

// look says how to look at a run: by get_run with the given arguments or,
// where the operator does not offer it, at the run's resource.
func (o Options) look(runID, arguments string) string {
	if o.Offers("get_run") {
		return "call get_run with " + arguments
	}
	return "read run://" + runID
}

// search says by which of the tools there are a run is found whose outcome is
// unclear.
func (o Options) search() string {
	switch list, get := o.Offers("list_runs"), o.Offers("get_run"); {
	case list && get:
		return "look with list_runs or get_run"
	case list:
		return "look with list_runs"
	case get:
		return "look with get_run"
	default:
		return "tell the user"
	}
}

// authorizationStep says how a person can authorise what a run needs.
func authorizationStep(a *Authorization) string {
	switch {
	case a != nil && a.URL != "":
		return "Show the user authorization.url to open; the run goes on by itself."
	case a != nil && a.IntegrationName != "":
		return "Tell the user to authorise the integration " + view.Quote(a.IntegrationName) + " in the vendor's console; the run goes on by itself."
	default:
		return "Tell the user to authorise the integration in the vendor's console; the run goes on by itself."
	}
}

// decideHint returns where a person decides whom this server cannot ask. Without
// the id of the run, "" or none, the hint says where it belongs.
func (o Options) decideHint(runID client.RunID) string {
	if !runID.Valid() { // nothing else belongs in a command or address
		runID = "{runId}"
	}
	return strings.ReplaceAll(cmp.Or(o.DecideHint, "in the vendor's console"), "RUN_ID", string(runID))
}

// DecideElsewhereStep says that a person must decide without this server.
func (o Options) DecideElsewhereStep(runID client.RunID) string {
	return "Tell the user to decide " + o.decideHint(runID) + "."
}

// elsewhere returns where a person can decide what waits in a run without this
// client.
func (o Options) elsewhere(runID client.RunID) string {
	where := o.decideHint(runID)
	if o.DecideCommand != "" && runID.Valid() {
		where = "in a terminal: `" + strings.ReplaceAll(o.DecideCommand, "RUN_ID", string(runID)) + "`, or " + where
	}
	return where
}

// approvalStep says who can decide, as the operator set it and the client can.
func (s *set) approvalStep(asks bool, runID client.RunID) string {
	switch {
	case !s.Offers("approve"):
		return s.DecideElsewhereStep(runID)
	case s.Approvals == ApprovalsAgent:
		return "Judge what would happen and call approve with runId, approvalId and decision."
	case asks:
		return "Call approve with runId: the user is asked to decide."
	default:
		return "Tell the user to decide " + s.elsewhere(runID) + "."
	}
}
