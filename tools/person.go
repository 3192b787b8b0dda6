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
func (h *handlers) person(c *call) attend.Person {
	p := attend.Person{Name: c.personName, Approvals: h.mayAskDecision(c), Links: h.mayAskAuthorization(c)}
	if !c.modern {
		p.Ask, p.Complete = c.askPerson, c.completeLink
	}
	return p
}

// mayAskDecision reports whether a waiting call may ask its person to decide.
func (h *handlers) mayAskDecision(c *call) bool {
	return h.AskApprovals && h.Offers("approve") && c.canAskByForm()
}

// mayAskAuthorization reports whether the client sends its person to the links of
// authorisations, so that no link goes through the model.
func (h *handlers) mayAskAuthorization(c *call) bool {
	return h.AskAuthorization && c.canAskByURL()
}

// canAskByForm reports whether the client can ask its person to fill in a form.
func (c *call) canAskByForm() bool {
	return capability.CanElicit(c.canElicit, mcp.ElicitationModeForm)
}

// canAskByURL reports whether the client can ask its person to open a link.
func (c *call) canAskByURL() bool { return capability.CanElicit(c.canElicit, mcp.ElicitationModeURL) }

// elicitationOf returns how the client of a request can ask its person, nil where it
// cannot.
func elicitationOf(ctx context.Context, session server.ClientSession) *mcp.ElicitationCapability {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		return info.ClientCapabilities.Elicitation
	}
	if session, ok := session.(server.SessionWithClientInfo); ok {
		return session.GetClientCapabilities().Elicitation
	}
	return nil
}

// personNameOf names the person at the client of a request: by the session or, in
// the 2026-07-28 protocol, by the name that the client gives itself.
func personNameOf(ctx context.Context, session server.ClientSession) string {
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

// refusedLink reports whether the person at the client did not open the link that
// a run waits for: then the model may show it.
func (h *handlers) refusedLink(c *call, runID client.RunID, st feed.State) bool {
	return h.Attend.LastRefusal(c.caller.Key, c.personName, runID, attend.AuthorizationSubject(st)) != nil
}

// refusedAll returns the outcome of the last of the approvals that wait, if the
// person at the client was asked about each and decided on none; else nil.
func (h *handlers) refusedAll(c *call, runID client.RunID, waiting []approval.Pending) (last *attend.Outcome) {
	for _, p := range waiting {
		if last = h.Attend.LastRefusal(c.caller.Key, c.personName, runID, p.ID); last == nil {
			return nil
		}
	}
	return last
}

// askPerson asks the person at a client of an older protocol.
func (c *call) askPerson(ctx context.Context, q attend.Question) (attend.Answer, error) {
	session, ok := c.session.(server.SessionWithElicitation)
	if !ok {
		return attend.Answer{}, context.Canceled
	}
	answer, err := session.RequestElicitation(ctx, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: elicitationParams(q),
	})
	if err != nil {
		return attend.Answer{}, err
	}
	return answerOf(answer), nil
}

// completeLink tells the client that its person has finished with a link.
func (c *call) completeLink(ctx context.Context, id string) {
	c.progress.sendNotification(ctx, mcp.MethodNotificationElicitationComplete, map[string]any{"elicitationId": id})
}

// inputRequired ends a call of the 2026-07-28 protocol with a question: the client
// asks its person and repeats the call with the answer.
func (h *handlers) inputRequired(c *call, round *attend.Round) *mcp.CallToolResult {
	state := round.RoundState
	state.Notifications, state.KeepRefused = c.progress.count, c.keepRefused
	sealed := h.Attend.Seal(c.caller, c.tool, state)
	return server.NewInputRequestBuilder(sealed).Elicit(string(state.Kind), elicitationParams(round.Question)).ToolResult()
}

// decisionForm is the form that a person fills in. Nothing is chosen beforehand,
// and deny stands first: some clients put their cursor on the first choice.
var decisionForm = json.RawMessage(`{"type":"object","properties":{"decision":{"type":"string","title":"Your decision",` +
	`"description":"deny stops it, and with it usually the run; approve lets it happen","enum":["deny","approve"]}},"required":["decision"]}`)

// elicitationParams returns a question in the protocol's form.
func elicitationParams(q attend.Question) mcp.ElicitationParams {
	if q.Kind == attend.Authorization {
		return mcp.ElicitationParams{Mode: mcp.ElicitationModeURL, Message: q.Message, URL: q.URL, ElicitationID: q.ID}
	}
	return mcp.ElicitationParams{Message: q.Message, RequestedSchema: decisionForm}
}

// answerOf reads what the client answered. Only an accepted form with one of the two
// choices is a decision. No answer, or one of an unknown action, is Cancel.
func answerOf(result *mcp.ElicitationResult) attend.Answer {
	switch {
	case result == nil:
		return attend.Answer{Action: attend.Cancel}
	case result.Action == mcp.ElicitationResponseActionAccept:
		return attend.Answer{Action: attend.Accept, Decision: decisionOf(result.Content)}
	case result.Action == mcp.ElicitationResponseActionDecline:
		return attend.Answer{Action: attend.Decline}
	}
	return attend.Answer{Action: attend.Cancel}
}

// decisionOf returns the decision in a form that came back, "" where it holds none.
func decisionOf(content any) approval.Decision {
	fields, _ := content.(map[string]any)
	choice, _ := fields["decision"].(string)
	if d := approval.Decision(choice); d == approval.Approve || d == approval.Deny {
		return d
	}
	return ""
}
