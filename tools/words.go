package tools

import (
	"fmt"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// standing is how a run stands, by which it is put into words. Only our words
// and quoted names are in them: a run must not speak in our voice.
type standing struct {
	status  client.Status
	waiting int  // approvals on which no decision was sent
	sent    bool // what waited was decided, and the run has not gone on yet
	asks    bool // the client can ask its person to decide
	links   bool // the client can send its person to the link
	linked  bool // and this call did
}

// undecidedStep is what to do when a person was asked and did not decide.
const undecidedStep = "Do not ask again by yourself. Tell the user that the run waits for them, and ask again when they want to decide."

// summary says in our own words how a run stands.
func (s *set) summary(st standing) string {
	switch {
	case st.status == "":
		return "The run exists; the API did not tell its status."
	case st.status == client.Success:
		return "The run ended with SUCCESS."
	case st.status.Terminal():
		return "The run ended with " + string(st.status) + "; that is not a full success."
	}
	status := s.View.Status(st.status)
	switch {
	case st.waiting > 0:
		return fmt.Sprintf("The run is %s: %d approval(s) wait for a person.", status, st.waiting)
	case st.sent:
		return "The run is still PAUSED: the decision was sent, and has not shown yet."
	case st.status == client.Paused:
		return "The run is PAUSED: it waits for a person's approval."
	case st.status == client.AuthRequired:
		return "The run is AUTH_REQUIRED: a person must authorise an integration."
	default:
		return "The run is " + status + "."
	}
}

// nextStep says what to do with a run in this state; more says that later
// events were left out.
func (s *set) nextStep(r RunResult, st standing, more bool) string {
	again := fmt.Sprintf("call get_run with runId, afterEventId %d and waitSeconds %d", r.LastEventID, maxWait)
	switch {
	case more:
		return fmt.Sprintf("More events: call get_run with runId and afterEventId %d.", r.LastEventID)
	case st.status == client.Success:
		return "Report the result to the user."
	case st.status.Terminal():
		return "Tell the user how it ended and what the events say of it."
	case st.waiting > 0:
		return s.approvalStep(st.asks, r.RunID) + " Then " + again + "."
	case st.sent:
		return "Do not decide again. To follow the run, " + again + "; if it stays PAUSED, tell the user to look in the vendor's console."
	case st.status == client.Paused:
		return "Tell the user to decide in the vendor's console: the API does not tell the approval's link. Then " + again + "."
	case st.status == client.AuthRequired && st.linked:
		return "The user was sent to the link; the run goes on by itself. To follow it, " + again + "; without afterEventId, the user is sent there again."
	case st.status == client.AuthRequired && st.links:
		// No cursor: the need may be older than it, and would end no wait.
		return fmt.Sprintf("To have the user asked to authorise, call get_run with runId and waitSeconds %d.", maxWait)
	case st.status == client.AuthRequired:
		return authorizationStep(r.Authorization) + " Then " + again + "."
	default:
		return "To follow it, " + again + "."
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

// approvalStep says who can decide, as the operator set it and the client can.
func (s *set) approvalStep(asks bool, runID string) string {
	switch {
	case !s.Offers("approve"):
		return "Tell the user to decide in the vendor's console."
	case s.Approvals == ApprovalsAgent:
		return "Judge what would happen and call approve with runId, approvalId and decision."
	case asks:
		return "Call approve with runId: the user is asked to decide."
	case client.IsRunID(runID): // nothing else belongs in a command that somebody types
		return "Tell the user to decide: in a terminal with runs-mcp-server approve " + runID + ", or in the vendor's console."
	default:
		return "Tell the user to decide in the vendor's console."
	}
}
