package tools

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/capability"
	"runs-mcp-server/internal/feed"
)

// person returns the person at the client, as a waiting call may ask them.
func (s *set) person(c *call) attend.Person {
	p := attend.Person{Name: c.personName, Approvals: s.asksApprovals(c), Links: s.asksLinks(c)}
	if !c.modern {
		p.Ask, p.Complete = c.elicit, c.completeLink
	}
	return p
}

// asksApprovals reports whether a waiting call may ask its person to decide.
func (s *set) asksApprovals(c *call) bool {
	return s.AskApprovals && s.Offers("approve") && c.canAsk(mcp.ElicitationModeForm)
}

// asksLinks reports whether authorisation links go to the person at the client
// and not through the model.
func (s *set) asksLinks(c *call) bool {
	return s.AskAuthorization && c.canAsk(mcp.ElicitationModeURL)
}

// refusedLink reports whether the person at the client did not open the link that
// a run waits for: then the model may show it.
func (s *set) refusedLink(c *call, runID client.RunID, st feed.State) bool {
	return s.Attend.RefusedBefore(c.caller.Key, c.personName, runID, attend.SubjectOf(st)) != nil
}

// refusedAll returns how the person at the client did not decide on the last of
// the approvals that wait, if they did not on any; else nil.
func (s *set) refusedAll(c *call, runID client.RunID, waiting []approval.Pending) (last *attend.Outcome) {
	for _, p := range waiting {
		if last = s.Attend.RefusedBefore(c.caller.Key, c.personName, runID, p.ID); last == nil {
			return nil
		}
	}
	return last
}

// nameOf names the person at the client of a request: a session's, or, in the
// 2026-07-28 protocol, a client's by the name it gives itself.
func nameOf(ctx context.Context, session server.ClientSession) string {
	info := server.RequestProtocolInfoFromContext(ctx)
	switch {
	case info != nil && info.Modern && info.ClientInfo != nil:
		return "client " + info.ClientInfo.Name
	case info != nil && info.Modern, session == nil:
		return "client"
	default:
		return "session " + session.SessionID()
	}
}

// canAsk reports whether the client can ask its person in a mode.
func (c *call) canAsk(mode string) bool { return capability.CanElicit(c.canElicit, mode) }

// elicit asks the person at a client of an older protocol.
func (c *call) elicit(ctx context.Context, q attend.Question) (attend.Answer, error) {
	session, ok := c.session.(server.SessionWithElicitation)
	if !ok {
		return attend.Answer{}, context.Canceled
	}
	answer, err := session.RequestElicitation(ctx, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: elicitation(q),
	})
	if err != nil {
		return attend.Answer{}, err
	}
	return answerOf(answer), nil
}

// completeLink tells the client that its person has finished with a link.
func (c *call) completeLink(ctx context.Context, id string) {
	c.progress.send(ctx, mcp.MethodNotificationElicitationComplete, map[string]any{"elicitationId": id})
}

// decisionForm is what a person fills in: one of two, and none beforehand. Some
// clients put their cursor on the first: that one is harmless.
var decisionForm = json.RawMessage(`{"type":"object","properties":{"decision":{"type":"string","title":"Your decision",` +
	`"description":"deny stops it, and with it usually the run; approve lets it happen","enum":["deny","approve"]}},"required":["decision"]}`)

// elicitation returns a question as clients take it.
func elicitation(q attend.Question) mcp.ElicitationParams {
	if q.Kind == attend.Authorization {
		return mcp.ElicitationParams{Mode: mcp.ElicitationModeURL, Message: q.Message, URL: q.URL, ElicitationID: q.ID}
	}
	return mcp.ElicitationParams{Message: q.Message, RequestedSchema: decisionForm}
}

// answerOf reads what came back: only an accepted form with one of the two choices
// is a decision. No answer is the action cancel.
func answerOf(answer *mcp.ElicitationResult) attend.Answer {
	if answer == nil {
		return attend.Answer{Action: attend.Cancel}
	}
	a := attend.Answer{Action: attend.Cancel}
	switch answer.Action {
	case mcp.ElicitationResponseActionAccept:
		a.Action = attend.Accept
		fields, _ := answer.Content.(map[string]any)
		choice, _ := fields["decision"].(string)
		if d := approval.Decision(choice); d == approval.Approve || d == approval.Deny {
			a.Decision = d
		}
	case mcp.ElicitationResponseActionDecline:
		a.Action = attend.Decline
	}
	return a
}

// inputRequired ends a call of the 2026-07-28 protocol with a question: the client
// asks its person and repeats the call with the answer.
func (s *set) inputRequired(c *call, round *attend.Round) *mcp.CallToolResult {
	at := round.Position
	at.Notifications, at.Unkept = c.progress.count, c.unkept
	return server.NewInputRequestBuilder(s.Attend.Seal(c.caller, c.tool, at)).Elicit(string(round.Position.Kind), elicitation(round.Question)).ToolResult()
}
