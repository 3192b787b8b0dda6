package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/capability"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// call is one call of a tool: who calls, what their client can do, and what became
// of the call so far. It is for the call's own goroutine.
type call struct {
	caller   client.Caller
	tool     string
	runID    client.RunID // that the call is about, as far as it is known
	at       time.Time    // of its arrival
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
	readFirst   client.RunID   // the run that the call read first, "" for none: a later create did not make it

	taskMode    taskMode
	taskID      string // of the task that the call belongs to, "" for none
	createdTask any    // the answer of a call that became a task; nil: it did not
}

// drainer is a session whose transport says when a call must stop waiting and
// answer: the client has ended its input, or the server stops. What has an effect
// may still be finished.
type drainer interface{ Draining() <-chan struct{} }

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
	if h.Tasks {
		c.taskMode = taskModeOf(ctx, req)
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

// taskMode says whether a call that creates a run may, or must, be answered with a task.
type taskMode int

const (
	noTask       taskMode = iota
	taskAllowed           // 2026-07-28: the client has the extension, and the server decides
	taskDemanded          // 2025-11-25: the client reads nothing else
)

// taskModeOf returns the mode of a request.
func taskModeOf(ctx context.Context, req mcp.CallToolRequest) taskMode {
	info := server.RequestProtocolInfoFromContext(ctx)
	switch {
	case info != nil && info.Modern:
		if _, declared := info.ClientCapabilities.Extensions[capability.TasksExtension]; declared {
			return taskAllowed
		}
	case req.Params.Task != nil && server.RequestProtocolVersion(ctx) == mcp.ProtocolVersion20251125:
		return taskDemanded
	}
	return noTask
}

// resumeOf returns the earlier round of the call about a run, nil in a first call.
// An answer that was given about another run is refused, and stays good for its own.
func (c *call) resumeOf(runID client.RunID) (*attend.Resume, error) {
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

// userOf returns the user that a call acts for: the caller's unless another may be
// named.
func (h *handlers) userOf(caller client.Caller, asked string) (string, error) {
	switch {
	case asked == "" || asked == caller.UserID:
		return caller.UserID, nil
	case caller.UserID == "" || h.AllowAnyUser:
		return asked, nil
	}
	return "", invalid("userId", "may not name another user than this caller's; leave it out")
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

// person returns the person at the client, as a waiting call may ask them.
func (h *handlers) person(c *call) attend.Person {
	p := attend.Person{Name: c.personName, Approvals: h.mayAskDecision(c), Links: h.mayAskAuthorization(c)}
	if !c.modern {
		p.Ask, p.Complete = c.sendQuestion, c.completeLink
	}
	return p
}

// mayAskDecision reports whether a waiting call may ask its person to decide.
func (h *handlers) mayAskDecision(c *call) bool {
	return h.AskApprovals && h.hasTool("approve") && c.canAskByForm()
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

// sendQuestion is [attend.Person.Ask]: it sends elicitation/create to a client of an
// older protocol, and waits for the answer. inputRequired is its counterpart in
// 2026-07-28.
func (c *call) sendQuestion(ctx context.Context, q attend.Question) (attend.Answer, error) {
	session, ok := c.session.(server.SessionWithElicitation)
	if !ok {
		return attend.Answer{}, context.Canceled
	}
	params := elicitationParams(q)
	if c.taskID != "" {
		params.Meta = mcp.WithRelatedTask(c.taskID)
	}
	answer, err := session.RequestElicitation(ctx, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: params,
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

// decisionForm is the form that a person fills in, below the text of
// [approval.Request.Question]. Nothing is chosen beforehand,
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

// secrets are what one call takes out of all that it shows. They do not outlive
// the call, and are for its own goroutine. They get the run's approval tokens by
// addTokens, from [feed.State], before the run is shown; view renders with them.
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
	token  mcp.ProgressToken
	out    chan<- mcp.JSONRPCNotification
	taskID string // of the task that the notifications are about, "" for none
	count  int
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
	if p.taskID != "" {
		n.Params.Meta = mcp.WithRelatedTask(p.taskID).AdditionalFields
	}
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
