package tools

import (
	"context"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// maxQuestions is how many questions one call puts to a person.
const maxQuestions = 8

// errEnough ends the asking in a call.
var errEnough = &problem{code: string(client.Conflict), message: "the user was asked often enough in one call; nothing was sent", nextStep: undecidedStep + "."}

// question is one thing that a person is asked in the middle of a call.
type question struct {
	name   string // of the answer among the client's input responses
	params mcp.ElicitationParams
	round  approval.Round // where the call stands, and what the answer counts for
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
func (s *set) ask(ctx context.Context, c *call, q question) (*mcp.ElicitationResult, error) {
	q.round.AnswerName = q.name
	if answer := c.answerTo(q.round); answer != nil {
		return answer, nil
	}
	if c.questions >= maxQuestions {
		return nil, errEnough
	}
	c.questions++
	if c.modern {
		q.round.Questions, q.round.Changes, q.round.Notifications, q.round.Unkept = c.questions, c.changes, c.progress.count, c.unkept
		return nil, &inputNeeded{q, s.Desk.Seal(c.caller, c.tool, q.round)}
	}
	return c.elicit(ctx, q.params), nil
}

// answerTo takes the answer that came with the call, if it is to this question. A
// person who did not decide is not asked anew because something changed.
func (c *call) answerTo(round approval.Round) *mcp.ElicitationResult {
	if !c.answersAbout(round) || c.decidedOther(round) || round.AnswerName != decisionName && c.round.Digest != round.Digest {
		return nil
	}
	answer := c.answer
	c.answer = nil
	return answer
}

// answersAbout reports whether the answer that came with the call is about this
// subject of this run.
func (c *call) answersAbout(round approval.Round) bool {
	return c.answer != nil && c.round.RunID == round.RunID && c.round.Subject == round.Subject
}

// decidedOther reports whether the person decided on what the subject was about
// when they were asked, and it is about something else by now.
func (c *call) decidedOther(round approval.Round) bool {
	return c.answersAbout(round) && c.round.Digest != round.Digest && decisionOf(c.answer) != ""
}

// elicit asks the person at a client of an older protocol. The transport makes
// every failure, and five minutes without an answer, the action cancel.
func (c *call) elicit(ctx context.Context, params mcp.ElicitationParams) *mcp.ElicitationResult {
	session, ok := c.session.(server.SessionWithElicitation)
	if !ok {
		return canceled()
	}
	stop := c.progress.beat(ctx, "waiting for the user's answer")
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
