package tools

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// maxQuestions is how many questions one call puts to a person.
const maxQuestions = 8

// errEnough ends the asking in a call.
var errEnough = &problem{code: string(client.Conflict), message: "the user was asked often enough in one call; nothing was sent", nextStep: undecidedStep}

// question is one thing that a person is asked in the middle of a call.
type question struct {
	name   string // of the answer among the client's input responses
	params mcp.ElicitationParams
	round  approval.Round // where the call stands; ask fills in what was asked
}

// questionOf names a question for the person's answer to find its way back.
func (q *question) digest() string {
	sum := sha256.Sum256([]byte(q.params.Message + "\x00" + q.params.URL))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// inputNeeded ends a call of the 2026-07-28 protocol with a question: the
// client asks its person and repeats the call with the answer.
type inputNeeded struct {
	question
	state string
}

func (*inputNeeded) Error() string { return "the answer of a person is needed" }

func (n *inputNeeded) result() *mcp.CallToolResult {
	return server.NewInputRequestBuilder(n.state).Elicit(n.name, n.params).ToolResult()
}

// ask puts a question to the person at the client and returns the answer. In
// the 2026-07-28 protocol a question that the call did not bring the answer to
// is the error [inputNeeded]; older clients are asked while the call waits,
// with progress meanwhile. Whoever does not answer has cancelled.
func (s *set) ask(ctx context.Context, caller client.Caller, q question) (*mcp.ElicitationResult, error) {
	a := arrivalOf(ctx)
	q.round.Name, q.round.Shown = q.name, q.digest()
	if answer := a.answerTo(q.round); answer != nil {
		return answer, nil
	}
	if a.asked >= maxQuestions {
		return nil, errEnough
	}
	a.asked++
	if server.IsModernRequest(ctx) {
		q.round.Number, q.round.Said, q.round.Unkept = a.asked, a.progress.count, a.unkept
		return nil, &inputNeeded{q, s.rounds.Seal(caller, a.tool, q.round)}
	}
	return elicit(ctx, q.params), nil
}

// answerTo takes the answer that came with the call, if it is to this question.
func (a *arrival) answerTo(asked approval.Round) *mcp.ElicitationResult {
	if a.answer == nil || a.round.RunID != asked.RunID || a.round.Asked != asked.Asked || a.round.Shown != asked.Shown {
		return nil
	}
	answer := a.answer
	a.answer = nil
	return answer
}

// elicit asks the person at a client of an older protocol. The transport makes
// every failure, and five minutes without an answer, the action cancel.
func elicit(ctx context.Context, params mcp.ElicitationParams) *mcp.ElicitationResult {
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithElicitation)
	if !ok {
		return canceled()
	}
	stop := beat(ctx, "waiting for the user's answer")
	defer stop()
	answer, err := session.RequestElicitation(ctx, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: params,
	})
	if err != nil || answer == nil {
		return canceled()
	}
	return answer
}

func canceled() *mcp.ElicitationResult {
	out := &mcp.ElicitationResult{}
	out.Action = mcp.ElicitationResponseActionCancel
	return out
}

// beat sends a heartbeat as long as a call says nothing else, until stop is
// called; then none is on its way any more.
func beat(ctx context.Context, message string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(heartbeat); ; {
			select {
			case <-tick.C:
				arrivalOf(ctx).progress.say(ctx, message)
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// canAsk reports whether the client of a call can ask its person in a mode.
// An empty capability means the form mode alone (2025-11-25, and all there was
// before it).
func canAsk(ctx context.Context, mode string) bool {
	var can *mcp.ElicitationCapability
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		can = info.ClientCapabilities.Elicitation
	} else if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		can = session.GetClientCapabilities().Elicitation
	}
	switch {
	case can == nil:
		return false
	case mode == mcp.ElicitationModeURL:
		return can.URL != nil
	}
	return can.Form != nil || can.URL == nil
}
