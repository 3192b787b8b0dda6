package tools

import (
	"cmp"
	"fmt"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/view"
)

// runSummary is what the texts of a result say of a run. They hold only our words
// and quoted names: a run must not speak in our voice.
type runSummary struct {
	status   client.Status
	shown    string             // the status, fit to show
	waiting  []approval.Pending // the approvals on which no decision was sent
	sent     bool               // what waited was decided, and the run has not gone on yet
	canAsk   bool               // the client can ask its person to decide
	refused  *attend.Outcome    // they decided on none of what waits; nil: they were not asked about all
	link     string             // to authorise, "" for none
	asksLink bool               // the client can send its person to the link
	linked   bool               // and this call did
}

// text says how the run stands.
func (s runSummary) text() string {
	switch n := len(s.waiting); {
	case s.status == "":
		return "The run exists; the API did not tell its status."
	case s.status == client.Success:
		return "The run ended with SUCCESS."
	case s.status == client.CanceledRun:
		return "The run ended with CANCELED: it was stopped before it was done."
	case s.status.Terminal():
		return "The run ended with " + string(s.status) + "; that is not a full success."
	case n == 1:
		return fmt.Sprintf("The run is %s: an approval waits for a person.", s.shown)
	case n > maxPending:
		return fmt.Sprintf("The run is %s: %d approvals wait for a person. %d are shown, the others follow as these are decided.", s.shown, n, maxPending)
	case n > 0:
		return fmt.Sprintf("The run is %s: %d approvals wait for a person.", s.shown, n)
	case s.sent:
		return "The run is still PAUSED: the decision was sent, and has not shown yet."
	case s.status == client.Paused:
		return "The run is PAUSED: it waits for a person's approval."
	case s.status == client.AuthRequired:
		return "The run is AUTH_REQUIRED: a person must authorise an integration."
	default:
		return "The run is " + s.shown + "."
	}
}

// nextStep says what to do with a run of which the result shows a page of events.
func (h *handlers) nextStep(r RunResult, s runSummary, page *eventPage) string {
	step := h.runStep(r, s)
	if page.full {
		step = fmt.Sprintf("More events: %s.", h.readStep(runURI(r.RunID, ""), fmt.Sprintf("the same arguments but afterEventId %d", r.LastEventID)))
		if r.Finished {
			step += " " + h.endedStep(r, s)
		}
	}
	if r.ResultURI != "" {
		step += " The result is cut: " + h.readPart(r.RunID, partResult) + "."
	}
	if page.newest && page.leftOut > 0 {
		step += " For earlier events, " + h.readStep(runURI(r.RunID, "events"), "runId and afterEventId 0") + "."
	}
	return step
}

// runStep says what to do with a run as it stands.
func (h *handlers) runStep(r RunResult, s runSummary) string {
	follow := h.readStep(runURI(r.RunID, ""), fmt.Sprintf("runId, afterEventId %d and waitSeconds %d", r.LastEventID, maxWait))
	switch {
	case r.Finished:
		return h.endedStep(r, s)
	case len(s.waiting) > 0:
		return h.approvalStep(r, s, follow)
	case s.sent:
		return "Do not decide again. To follow the run, " + follow + "; if it stays PAUSED, tell the user to look " + h.decideHint(r.RunID) + "."
	case s.status == client.Paused:
		return "Tell the user to decide " + h.decideHint(r.RunID) + ": the API does not tell the approval's link. When they have, " + follow + "."
	case s.status == client.AuthRequired:
		return h.authorizationStep(r.Authorization, s, follow)
	}
	return "To follow it, " + follow + "."
}

// endedStep says what to do with a run that has ended.
func (h *handlers) endedStep(r RunResult, s runSummary) string {
	switch {
	case s.status == client.Success:
		return "Report the result to the user."
	case len(r.Events) > 0 || r.EventsLeftOut == 0:
		return "Tell the user how it ended and what the events say of it."
	}
	return "Tell the user how it ended. To see what led to it, " + h.readStep(runURI(r.RunID, ""), "runId and limit 50") + "."
}

// approvalStep says what to do where approvals wait, and then how to follow the run.
func (h *handlers) approvalStep(r RunResult, s runSummary, follow string) string {
	step := h.decideStep(s.canAsk, r.RunID)
	switch agent := h.Approvals == ApprovalsAgent; {
	case !h.Offers("approve") || !s.canAsk && !agent:
		return step + " When they have, " + follow + "."
	case s.refused != nil && !agent:
		return h.outcomeStep(*s.refused, r.RunID)
	}
	return step + " Then " + follow + "."
}

// decideStep says who decides what waits in a run, as the operator set it and the
// client can.
func (h *handlers) decideStep(canAsk bool, runID client.RunID) string {
	switch {
	case !h.Offers("approve"):
		return h.DecideElsewhereStep(runID)
	case h.Approvals == ApprovalsAgent:
		return "Judge what would happen and call approve with runId, approvalId and decision."
	case canAsk:
		return "Call approve with runId: the user is asked to decide."
	}
	return "Tell the user to decide " + h.decideElsewhere(runID) + "."
}

// authorizationStep says how a person can authorise what a run needs, and how to
// follow it.
func (h *handlers) authorizationStep(a *Authorization, s runSummary, follow string) string {
	step := "Tell the user to authorise the integration in the vendor's console; the run goes on by itself."
	switch {
	case s.linked:
		return "The user was sent to the link; the run goes on by itself. To follow it, " + follow + "; without afterEventId, the user is sent there again."
	case s.asksLink && h.Offers("get_run"):
		// Without a cursor: an authorisation that is older than it ends no wait.
		return fmt.Sprintf("To have the user asked to authorise, call get_run with runId and waitSeconds %d.", maxWait)
	case a != nil && a.URL != "":
		step = "Show the user authorization.url to open; the run goes on by itself."
	case a != nil && a.IntegrationName != "":
		step = "Tell the user to authorise the integration " + view.Quote(a.IntegrationName) + " in the vendor's console; the run goes on by itself."
	}
	return step + " When they have, " + follow + "."
}

// DecideElsewhereStep says that a person must decide without this server.
func (o Options) DecideElsewhereStep(runID client.RunID) string {
	return "Tell the user to decide " + o.decideHint(runID) + "."
}

// decideElsewhere returns where a person can decide without this client.
func (o Options) decideElsewhere(runID client.RunID) string {
	where := o.decideHint(runID)
	if o.DecideCommand != "" && runID.Valid() {
		where = "in a terminal: `" + strings.ReplaceAll(o.DecideCommand, "RUN_ID", string(runID)) + "`, or " + where
	}
	return where
}

// decideHint returns where a person decides whom this server cannot ask. Without a
// valid id of the run the hint says where it belongs.
func (o Options) decideHint(runID client.RunID) string {
	if !runID.Valid() { // nothing else belongs in a command or address
		runID = "{runId}"
	}
	return strings.ReplaceAll(cmp.Or(o.DecideHint, "in the vendor's console"), "RUN_ID", string(runID))
}

// runURI returns the address of a run or, if part is not "", of a part of it. runID
// "" stands for an id that the reader puts in.
func runURI(runID client.RunID, part string) string {
	uri := "run://" + cmp.Or(string(runID), "{runId}")
	if part != "" {
		uri += "/" + part
	}
	return uri
}

// readStep says how to read a run: by get_run with the given arguments or, where
// the operator does not offer that, at an address.
func (o Options) readStep(uri, arguments string) string {
	if o.Offers("get_run") {
		return "call get_run with " + arguments
	}
	return "read " + uri
}

// readPart says how to read a part of a run that a result has no room for.
func (o Options) readPart(runID client.RunID, part string) string {
	if o.Offers("get_run") {
		return "get_run with part " + part + " reads it"
	}
	return "read " + runURI(runID, part)
}

// readToolCalls says how to read the tool calls of one event.
func (o Options) readToolCalls(runID client.RunID, eventID int64) string {
	if o.Offers("get_run") {
		return fmt.Sprintf("get_run with afterEventId %d, limit 1 and includeToolCalls true shows them", eventID-1)
	}
	return "read " + runURI(runID, "events")
}

// findStep says how to find a run whose outcome is unknown, by the tools there are.
func (o Options) findStep() string {
	switch list, get := o.Offers("list_runs"), o.Offers("get_run"); {
	case list && get:
		return "look with list_runs or get_run"
	case list:
		return "look with list_runs"
	case get:
		return "look with get_run"
	}
	return "tell the user"
}

// maxQuoted is how many of the run's names a text quotes.
const maxQuoted = 5

// quoteNames lists names that are the run's words. They stand in quotes that they
// cannot end.
func quoteNames(v view.View, names []string) string {
	return joinFirst(names, maxQuoted, func(name string) string { return view.Quote(v.Line(name, 64)) })
}

// maxIgnored is how many ignored arguments are named.
const maxIgnored = 4

// ignoredNote names arguments that were ignored, "" where there are none.
func ignoredNote(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " Ignored: this tool has no argument " + joinFirst(names, maxIgnored, view.Quote) + "."
}

// joinFirst lists the texts of the first items, and counts the other items.
func joinFirst[T any](items []T, most int, textOf func(T) string) string {
	var texts []string
	for _, item := range items[:min(len(items), most)] {
		texts = append(texts, textOf(item))
	}
	list := strings.Join(texts, ", ")
	if n := len(items) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return list
}

// cutText cuts a text that is longer than limit bytes, and marks the cut.
func cutText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
