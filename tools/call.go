package tools

import (
	"context"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
)

// call is one call of a tool: who calls, what their client can do, and what
// the call has told since it arrived. It is for the call's own goroutine.
type call struct {
	caller   client.Caller
	tool     string
	at       time.Time // of its arrival
	progress *progress
	secrets

	session    server.ClientSession
	draining   <-chan struct{}            // closed when waits must end, see [drainer]; nil: never
	modern     bool                       // of the 2026-07-28 protocol, whose questions end the call
	canElicit  *mcp.ElicitationCapability // nil where the client cannot ask its person
	personName string                     // see [attend.Person]

	resume  *attend.Resume // what the call brings of the round before; nil: it is the first, or that is used
	decided string         // what became of the person's decision, for a failure
	unkept  bool           // the call made a run whose approval links may be missed
}

// drainer is a session whose transport says when a call must stop waiting and
// answer: the client has ended its input, or the server stops. What has an effect
// may still be finished.
type drainer interface{ Draining() <-chan struct{} }

// identified is a session whose transport knows the id of the call's request.
type identified interface{ RequestID() string }

// arrive returns the call that a request makes. One that brings an answer
// without the state it was asked in, or with a bad one, is refused: it would
// begin anew, and create a second run.
func (s *set) arrive(ctx context.Context, tool string, req mcp.CallToolRequest) (*call, error) {
	session := server.ClientSessionFromContext(ctx)
	c := &call{
		caller: client.CallerFrom(ctx), tool: tool, at: time.Now(), progress: newProgress(session, req),
		secrets: s.secretsOf(client.CallerFrom(ctx)),
		session: session, modern: server.IsModernRequest(ctx), canElicit: elicitationOf(ctx, session), personName: nameOf(ctx, session),
	}
	if d, ok := session.(drainer); ok {
		c.draining = d.Draining()
	}
	state, answers := req.Params.RequestState, req.Params.InputResponses
	if state == "" && answers == nil {
		return c, nil
	}
	at, err := s.Attend.Open(c.caller, tool, state)
	if err != nil {
		return c, err
	}
	c.unkept = at.KeepRefused
	c.progress.count = at.Notifications // a client may use one token for all rounds
	c.resume = &attend.Resume{RoundState: at, Answer: answerOf(server.ElicitationResponse(answers, string(at.Kind))), Sealed: state}
	return c, nil
}

// elicitationOf returns how the client of a request can ask its person.
func elicitationOf(ctx context.Context, session server.ClientSession) *mcp.ElicitationCapability {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		return info.ClientCapabilities.Elicitation
	}
	if session, ok := session.(server.SessionWithClientInfo); ok {
		return session.GetClientCapabilities().Elicitation
	}
	return nil
}

// resumes returns what the call brings of an earlier round about a run, nil in a
// first call. An answer that was given about another run is refused, and stays good
// for its own.
func (c *call) resumes(runID client.RunID) (*attend.Resume, error) {
	if c.resume != nil && c.resume.RunID != runID {
		return nil, attend.ErrNotSealed
	}
	return c.resume, nil
}

// noteOutcome notes what a failure of the call must say of its person's decision.
func (c *call) noteOutcome(o *attend.Outcome) {
	switch {
	case o == nil:
	case o.Status == attend.Sending:
		c.decided = "the user has decided, and the decision is being sent: "
	case o.DecisionTaken():
		c.decided = fmt.Sprintf("the decision to %s was sent: ", o.Decision)
	}
}

// aboutDecision returns what a failure of the call says first: what became of its
// person's decision, "" where there is none.
func (c *call) aboutDecision() string {
	if c.resume != nil && c.resume.Answer.Decision != "" { // it was not used
		return "the user's decision was not sent: "
	}
	return c.decided
}
