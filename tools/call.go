package tools

import (
	"context"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// call is one call of a tool: who calls, what their client can do, and what
// the call has asked and told since it arrived. It is for the call's own
// goroutine.
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
	questions  int                        // put to the person so far
	changes    int                        // of what they were asked about, while they were
	linkID     string                     // of the link that the person was sent to, until that is finished
	linkUnseen bool                       // the client cancelled: the person may not have seen the link

	// round says where the call stood when it asked its person, zero in a
	// first call; answer is what the person said, until it is used.
	round  approval.Round
	state  string // the round as it came, sealed, until it is used up
	answer *mcp.ElicitationResult
	unkept bool // the call made a run whose approval links may be missed
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
		session: session, modern: server.IsModernRequest(ctx), canElicit: elicitationOf(ctx, session),
	}
	if d, ok := session.(drainer); ok {
		c.draining = d.Draining()
	}
	state, answers := req.Params.RequestState, req.Params.InputResponses
	if state == "" && answers == nil {
		return c, nil
	}
	round, err := s.Desk.Open(c.caller, tool, state)
	if err != nil {
		return c, err
	}
	c.round, c.state, c.questions, c.changes, c.answer, c.unkept = round, state, round.Questions, round.Changes, canceled(), round.Unkept
	c.progress.count = round.Notifications // a client may use one token for all rounds
	if answer := server.ElicitationResponse(answers, round.AnswerName); answer != nil {
		c.answer = answer
	}
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

// canAsk reports whether the client can ask its person in a mode. An empty
// capability means the form mode alone (2025-11-25, and all there was before it).
func (c *call) canAsk(mode string) bool {
	switch can := c.canElicit; {
	case can == nil:
		return false
	case mode == mcp.ElicitationModeURL:
		return can.URL != nil
	default:
		return can.Form != nil || can.URL == nil
	}
}

// resume reports whether the call goes on with a run after its person was
// asked, and uses the round up. An answer that was given about another run is
// refused, and stays good for its own.
func (s *set) resume(c *call, runID string) (bool, error) {
	switch c.round.RunID {
	case "":
		return false, nil
	case runID:
		if c.state == "" {
			return true, nil // by this very call
		}
		err := s.Desk.Redeem(c.state)
		c.state = ""
		return true, err
	}
	return false, approval.ErrNotSealed
}

// unheard reports whether a person decided, and their decision went nowhere.
func (c *call) unheard() bool { return c.answer != nil && decisionOf(c.answer) != "" }

// unhurried returns a context for what a person's answer sets off: it is done
// even if the client has gone by then. Without an answer it is ctx.
func (c *call) unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	if !c.unheard() {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), decisionTimeout)
}
