package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// call is one call of a tool: who calls, what their client can do, and what became
// of the call so far. It is for the call's own goroutine.
type call struct {
	caller   client.Caller
	tool     string
	at       time.Time // of its arrival
	progress *progress
	secrets

	session    server.ClientSession
	draining   <-chan struct{}            // closed when waits must end, see [drainer]; nil: never
	modern     bool                       // of the 2026-07-28 protocol, in which a question ends the call
	canElicit  *mcp.ElicitationCapability // nil where the client cannot ask its person
	personName string                     // see [attend.Person]

	resume      *attend.Resume // the round before, with its answer; nil: there is none, or it is used
	decided     string         // what became of the person's decision, for a failure
	keepRefused bool           // the call created a run that is not watched: its approval links may be missed
}

// drainer is a session whose transport says when a call must stop waiting and
// answer: the client has ended its input, or the server stops. What has an effect
// may still be finished.
type drainer interface{ Draining() <-chan struct{} }

// identified is a session whose transport knows the id of the call's request.
type identified interface{ RequestID() string }

// newCall returns the call that a request makes. It refuses an answer whose state
// is missing or invalid: such a call would start anew, and create a second run.
func (h *handlers) newCall(ctx context.Context, tool string, req mcp.CallToolRequest) (*call, error) {
	session := server.ClientSessionFromContext(ctx)
	caller := client.CallerFrom(ctx)
	c := &call{
		caller: caller, tool: tool, at: time.Now(), progress: newProgress(session, req), secrets: h.secretsOf(caller),
		session: session, modern: server.IsModernRequest(ctx), canElicit: elicitationOf(ctx, session), personName: personNameOf(ctx, session),
	}
	if d, ok := session.(drainer); ok {
		c.draining = d.Draining()
	}
	state, answers := req.Params.RequestState, req.Params.InputResponses
	if state == "" && answers == nil {
		return c, nil
	}
	round, err := h.Attend.Open(caller, tool, state)
	if err != nil {
		return c, err
	}
	c.keepRefused = round.KeepRefused
	c.progress.count = round.Notifications // a client may use one token for all rounds
	answer := answerOf(server.ElicitationResponse(answers, string(round.Kind)))
	c.resume = &attend.Resume{RoundState: round, Answer: answer, Sealed: state}
	return c, nil
}

// resumeOf returns the earlier round of the call about a run, nil in a first call.
// An answer that was given about another run is refused, and stays good for its own.
func (c *call) resumeOf(runID client.RunID) (*attend.Resume, error) {
	if c.resume != nil && c.resume.RunID != runID {
		return nil, attend.ErrNotSealed
	}
	return c.resume, nil
}

// hasRun reports whether an earlier round of the call created its run.
func (c *call) hasRun() bool { return c.tool == "create_run" && c.resume != nil }

// noteOutcome notes what a failure of the call must say of its person's decision.
func (c *call) noteOutcome(o *attend.Outcome) {
	switch {
	case o == nil:
	case o.Status == attend.Sending:
		c.decided = "the user has decided, and the decision is being sent"
	case o.DecisionTaken():
		c.decided = fmt.Sprintf("the decision to %s was sent", o.Decision)
	}
}

// decisionNote returns what a failure of the call says first: what became of the
// person's decision, "" where they made none.
func (c *call) decisionNote() string {
	if c.resume != nil && c.resume.Answer.Decision != "" { // it was not used
		return "the user's decision was not sent"
	}
	return c.decided
}

// normalizeArgument returns the id in a run's address where a run's id is asked
// for. The address of its result or plan stays, to be refused: it asks for
// something else.
func normalizeArgument(name, text string) string {
	if name != "runId" {
		return text
	}
	text = strings.ToLower(strings.TrimSpace(text))
	rest, isAddress := strings.CutPrefix(text, "run://")
	if !isAddress || strings.Contains(rest, "/result") || strings.Contains(rest, "/plan") {
		return text
	}
	id, _, _ := strings.Cut(rest, "/")
	return id
}

// secrets are what one call takes out of all that it shows. They do not outlive
// the call, and are for its own goroutine.
type secrets struct {
	fixed  *redact.Set      // the operator's, and the caller's key
	given  []string         // what the call itself brought
	tokens redact.Collector // of the approvals of the call's run

	all *redact.Set // made of these when it is needed; nil: must be made anew
}

// secretsOf returns the secrets that every call of a caller has.
func (h *handlers) secretsOf(caller client.Caller) secrets {
	return secrets{fixed: h.Secrets.With(string(caller.Key))}
}

// addGiven adds secrets that the call brought. The question to a person shows them
// all the same: a model could call any word a secret.
func (s *secrets) addGiven(given ...string) {
	s.given, s.all = append(s.given, given...), nil
}

// addTokens adds the tokens of the call's run, as it was just read.
func (s *secrets) addTokens(tokens []string) {
	if s.tokens.Add(tokens...) {
		s.all = nil
	}
}

// view returns the view of what the model and notifications get.
func (s *secrets) view() view.View {
	if s.all == nil {
		s.all = s.fixed.With(s.tokens.Secrets()...).With(s.given...)
	}
	return view.New(s.all)
}

// viewOf returns the view of one run of a list.
func (s *secrets) viewOf(run *client.Run) view.View {
	return view.New(s.fixed.With(s.given...).With(run.ApprovalTokens()...))
}

// progress sends progress notifications for one call, if the call asked for them.
type progress struct {
	token mcp.ProgressToken
	out   chan<- mcp.JSONRPCNotification
	count int
}

func newProgress(session server.ClientSession, req mcp.CallToolRequest) *progress {
	p := &progress{}
	if req.Params.Meta != nil {
		p.token = req.Params.Meta.ProgressToken
	}
	if session != nil {
		p.out = session.NotificationChannel()
	}
	return p
}

// sendMessage sends one message. It blocks while the client does not read, until
// ctx is done: only this call waits.
func (p *progress) sendMessage(ctx context.Context, message string) {
	if p.token == nil {
		return
	}
	p.count++
	p.sendNotification(ctx, mcp.MethodNotificationProgress, map[string]any{
		"progressToken": p.token, "progress": p.count, "message": message,
	})
}

func (p *progress) sendNotification(ctx context.Context, method mcp.MCPMethod, params map[string]any) {
	if p.out == nil {
		return
	}
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{
		Method: string(method), Params: mcp.NotificationParams{AdditionalFields: params},
	}}
	select {
	case p.out <- n: // also when ctx is done
		return
	default:
	}
	select {
	case p.out <- n:
	case <-ctx.Done():
	}
}
