package client

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"runs-mcp-server/internal/rawjson"
)

const (
	// maxCalls bounds the tool calls of a step that are read one by one.
	maxCalls = 10_000
	// maxLinks bounds the links of an approval that are read whatever they hold.
	maxLinks = 100
)

// The event types that mean something to us. Others are passed through.
const (
	EventEnd         = "end"
	EventRunApproval = "run_approval"
	EventRunAction   = "run_action"
	EventAuth        = "authentication"
	EventStep        = "step"
)

// Event is one thing that happened to a run.
type Event struct {
	// ID is the event's cursor: the API's id, or the position in the run's
	// events, from 1, where the API gives no ids. Cursors grow within a run.
	ID        int64  `json:"-"`
	Type      string `json:"-"` // "" where the API does not say
	RunStatus Status `json:"runStatus"`
	Timestamp string `json:"timestamp"` // ISO 8601
	Step      *Step  `json:"step"`
	Auth      *Auth  `json:"auth"`
	// ApprovalActions are the links of a whole run's approval. Secret.
	ApprovalActions []ApprovalAction `json:"approvalActions"`
	// Raw is the payload as it came, a part of the answer's text: who keeps the
	// event copies it. It may hold approval links.
	Raw json.RawMessage `json:"-"`

	// Missing counts the events known to be lost right before this one; -1
	// when some may be, and nobody can say how many.
	Missing int64 `json:"-"`
	// Restarted marks the first event after the API gave its ids anew: cursors
	// from before it mean nothing.
	Restarted bool `json:"-"`
	// Behind says that later events are known already and follow at once: the
	// state after this one is history.
	Behind bool `json:"-"`
	// Amended marks an event that was given before and now says more (its
	// links or tool calls, which the API may say only on the stream). It
	// replaces the earlier one of the same ID.
	Amended bool `json:"-"`
}

// Step is what a step event says.
type Step struct {
	Reason          string           `json:"reason"`
	Text            string           `json:"text"`
	Approval        string           `json:"approval"` // APPROVED, DENIED, PENDING, NOT_REQUIRED
	ApprovalActions []ApprovalAction `json:"approvalActions"`
	ToolCalls       []ToolCall       `json:"toolCalls"`
}

// ToolCall is a call of an integration's tool within a step.
type ToolCall struct {
	ToolCallID     string          `json:"toolCallId"`
	ToolName       string          `json:"toolName"`
	ToolParameters json.RawMessage `json:"toolParameters"`
	ToolResult     json.RawMessage `json:"toolResult"`
}

// Auth is what an authentication event says. URL is for the person alone.
type Auth struct {
	Status          string `json:"status"` // required, success, denied
	URL             string `json:"url"`
	IntegrationName string `json:"integrationName"`
}

// ApprovalAction is a one-time link; calling it is the decision.
type ApprovalAction struct {
	Action string `json:"action"` // approve, deny
	URL    string `json:"url"`
}

// Token returns the link's one-time token, "" when it has none. It makes no
// [url.Values], for an answer may hold many thousands of links.
func (a ApprovalAction) Token() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return ""
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name != "token" || strings.Contains(pair, ";") {
			continue
		}
		if token, err := url.QueryUnescape(value); err == nil {
			return token
		}
	}
	return ""
}

// Links returns the event's approval links: the run's, or its step's.
func (e Event) Links() []ApprovalAction {
	if len(e.ApprovalActions) > 0 || e.Step == nil {
		return e.ApprovalActions
	}
	return e.Step.ApprovalActions
}

// ApprovalTokens returns the one-time tokens of the event's approval links, at
// the two places where the contract has them: the event's and its step's.
func (e Event) ApprovalTokens() []string {
	links := e.ApprovalActions
	if e.Step != nil {
		links = slices.Concat(links, e.Step.ApprovalActions)
	}
	var tokens []string
	for _, link := range links {
		if token := link.Token(); token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// decodeEvent reads an event's payload as the stream brings it. Fields of an
// unexpected type stay empty; what is no JSON has none.
func decodeEvent(name string, payload []byte) Event {
	if !json.Valid(payload) {
		return Event{Type: name, Raw: payload}
	}
	return readEvent(name, payload)
}

var eventNames = []string{"runStatus", "timestamp", "step", "auth", "approvalActions", "approval"}

// readEvent is decodeEvent for valid JSON.
func readEvent(name string, payload []byte) Event {
	e := Event{Type: name, Raw: payload}
	flat := name == EventStep // the step's fields may be the event's
	for field, value := range rawjson.Members(payload) {
		switch rawjson.Name(field, eventNames) {
		case "runStatus":
			readText(&e.RunStatus, value)
		case "timestamp":
			readText(&e.Timestamp, value)
		case "step":
			readObject(&e.Step, value, (*Step).decode)
		case "auth":
			readObject(&e.Auth, value, (*Auth).decode)
		case "approvalActions":
			readLinks(&e.ApprovalActions, value)
		case "approval": // which only steps have
			flat = flat || name == ""
		}
	}
	if e.Step == nil && flat {
		step := new(Step)
		if step.decode(payload); name == EventStep || step.Approval != "" {
			e.Step = step
		}
	}
	if e.Type == "" {
		e.Type = guessType(e)
	}
	return e
}

var eventStepNames = []string{"reason", "text", "approval", "approvalActions", "toolCalls"}

func (s *Step) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, eventStepNames) {
		case "reason":
			readText(&s.Reason, value)
		case "text":
			readText(&s.Text, value)
		case "approval":
			readText(&s.Approval, value)
		case "approvalActions":
			readLinks(&s.ApprovalActions, value)
		case "toolCalls":
			if more := readList(&s.ToolCalls, value, maxCalls, (*ToolCall).decode); more > 0 {
				// All of them are part of what a person decides on.
				s.ToolCalls = append(s.ToolCalls, ToolCall{ToolName: fmt.Sprintf("[%d more tool calls]", more), ToolParameters: slices.Clone(value)})
			}
		}
	}
}

var callNames = []string{"toolCallId", "toolName", "toolParameters", "toolResult"}

// decode reads a tool call. What it keeps of the text are copies, for approvals
// are kept longer than the answers that they came in.
func (c *ToolCall) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, callNames) {
		case "toolCallId":
			readText(&c.ToolCallID, value)
		case "toolName":
			readText(&c.ToolName, value)
		case "toolParameters":
			c.ToolParameters = slices.Clone(value)
		case "toolResult":
			c.ToolResult = slices.Clone(value)
		}
	}
}

var authNames = []string{"status", "url", "integrationName"}

func (a *Auth) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, authNames) {
		case "status":
			readText(&a.Status, value)
		case "url":
			readText(&a.URL, value)
		case "integrationName":
			readText(&a.IntegrationName, value)
		}
	}
}

var linkNames = []string{"action", "url"}

func (a *ApprovalAction) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, linkNames) {
		case "action":
			readText(&a.Action, value)
		case "url":
			readText(&a.URL, value)
		}
	}
}

// readLinks fills the links of an approval. Of more than [maxLinks] those with a
// token are read too: no token may go unknown.
func readLinks(to *[]ApprovalAction, value []byte) {
	if readList(to, value, maxLinks, (*ApprovalAction).decode) == 0 {
		return
	}
	n := 0
	for item := range rawjson.Items(value) {
		var link ApprovalAction
		if n++; n > maxLinks {
			link.decode(item)
		}
		if link.Token() != "" {
			*to = append(*to, link)
		}
	}
}

// guessType names an event by its payload where the API left the name out.
func guessType(e Event) string {
	switch {
	case e.Step != nil:
		return EventStep
	case e.Auth != nil:
		return EventAuth
	case len(e.ApprovalActions) > 0:
		return EventRunApproval
	default:
		return ""
	}
}

// maxEventID is the largest id taken for one. JSON readers keep integers up to
// twice that: there is room for cursors beyond it.
const maxEventID = 1 << 52

// eventID reads an id as the integer that the API documents.
func eventID(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0 && n < maxEventID
}
