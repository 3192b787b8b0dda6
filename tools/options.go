package tools

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
)

// Approvals says who decides what waits for a person.
type Approvals string

// The ways of approving.
const (
	ApprovalsHuman Approvals = "human" // a person decides; the model cannot
	ApprovalsAgent Approvals = "agent" // the model may decide
	ApprovalsOff   Approvals = "off"   // there is no approve tool
)

// Options are what the tools work with, and the operator's limits.
type Options struct {
	API     *client.Client
	Feeds   *feed.Hub
	Decider *approval.Decider
	Attend  *attend.Attendant
	Log     *slog.Logger
	// Audit records creates, aborts and decisions. nil: nothing is recorded.
	Audit *audit.Log
	// LogCalls logs each call, not only those that failed.
	LogCalls bool
	// NameCaller names a caller for the log, by a hash of the key. nil: the log does not
	// say who calls.
	NameCaller func(client.Key) string
	// Observe is told of each call that is over. nil: nobody is.
	Observe func(context.Context, CallReport)
	// Secrets are the operator's. They are never shown.
	Secrets *redact.Set

	// Integrations are the operator's; empty when the operator set none. The
	// operator's user comes with the caller.
	Integrations []string
	// LeastApproval is the strategy that every run has at least.
	LeastApproval client.ApprovalStrategy
	// PassThrough is the operator's secret data by integration id.
	PassThrough map[string]client.PassThrough

	// Local says that the person at the client runs this server, so that texts may
	// name its flags. Over HTTP an operator runs it.
	Local bool

	Approvals           Approvals
	DecideHint          string   // where a person decides without this server; "": in the vendor's console
	DecideCommand       string   // the terminal command that asks them, with RUN_ID for the run; "" where callers have none
	AskApprovals        bool     // a waiting call asks the person to decide, where the client can ask
	AskAuthorization    bool     // a waiting call asks the person to authorise integrations, where the client can ask
	AuthLinks           bool     // a result may hold the link to authorise
	ReadOnly            bool     // only tools that read
	Tools               []string // the names of tools; there are no others; empty for all
	ExcludeTools        []string // the names of tools that there are not
	Tasks               bool     // a create is answered with a task where the client has tasks
	MaxResultBytes      int      // of a result's JSON; 0: DefaultMaxResultBytes
	AllowPassThrough    bool     // create_run takes passThrough
	AllowAnyUser        bool     // a call may name another user than the operator's
	AllowAnyIntegration bool     // a call may name other integrations than the operator's

	offered []string // the names of the tools there are; see [Options.resolve]
}

// ifOffered returns a text that names a tool, "" where that is not offered.
func (o Options) ifOffered(name, text string) string {
	if !o.hasTool(name) {
		return ""
	}
	return text
}

// readPart says how to read a part of a run that a result has no room for.
func (o Options) readPart(runID client.RunID, part string) string {
	if o.hasTool("get_run") {
		return "get_run with part " + part + " reads it"
	}
	return "read " + runURI(runID, part)
}

// readToolCalls says how to read the tool calls of one event.
func (o Options) readToolCalls(runID client.RunID, eventID int64) string {
	if o.hasTool("get_run") {
		return fmt.Sprintf("get_run with afterEventId %d, limit 1 and includeToolCalls true shows them", eventID-1)
	}
	return "read " + runURI(runID, "events")
}

// findStep says how to find a run whose outcome is unknown, by the tools there are.
func (o Options) findStep() string {
	switch list, get := o.hasTool("list_runs"), o.hasTool("get_run"); {
	case list && get:
		return "look with list_runs or get_run"
	case list:
		return "look with list_runs"
	case get:
		return "look with get_run"
	}
	return "tell the user"
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

// hasTool reports whether the tool of this name is offered, for texts that name it.
func (o Options) hasTool(name string) bool { return slices.Contains(o.offered, name) }

// readStep says how to read a run: by get_run with the given arguments or, where
// the operator does not offer that, at an address.
func (o Options) readStep(uri, arguments string) string {
	if o.hasTool("get_run") {
		return "call get_run with " + arguments
	}
	return "read " + uri
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
