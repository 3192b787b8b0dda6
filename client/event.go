package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"runs-mcp-server/internal/rawjson"
)

const (
	// maxCalls bounds the tool calls of a step that are decoded one by one.
	maxCalls = 10_000
	// maxLinks bounds the links of an approval that are decoded without a token.
	maxLinks = 100
)

// The event types that this program knows. Others are passed through.
const (
	EventEnd         = "end"
	EventRunApproval = "run_approval"
	EventRunAction   = "run_action"
	EventAuth        = "authentication"
	EventStep        = "step"
)

// Event is one thing that happened to a run.
type Event struct {
	// ID is the event's cursor: the API's id or, where the API gives none, the
	// position in the run's events, from 1. Cursors grow within a run.
	ID        int64  `json:"-"`
	Type      string `json:"-"` // "" where the API does not say
	RunStatus Status `json:"runStatus"`
	Timestamp string `json:"timestamp"` // ISO 8601
	Step      *Step  `json:"step"`
	Auth      *Auth  `json:"auth"`
	// ApprovalActions are the links of a whole run's approval. Secret.
	ApprovalActions []ApprovalAction `json:"approvalActions"`
	// Raw is the payload as it came. It may hold approval links. It is a part of the
	// answer's text: a holder of the event should copy it.
	Raw json.RawMessage `json:"-"`

	// Missing counts the events that are known to be missing right before this one.
	// -1 means that some may be missing.
	Missing int64 `json:"-"`
	// Restarted marks the first event after the API began its ids anew. Earlier
	// cursors mean nothing any more.
	Restarted bool `json:"-"`
	// Behind says that later events are known and follow at once: the state after
	// this event is not the run's newest.
	Behind bool `json:"-"`
	// Amended marks an event that client/follow yielded before and that now has more:
	// links or tool calls that the API may send on the stream only. It replaces the
	// earlier event with the same ID.
	Amended bool `json:"-"`
}

// Step is the content of a step event.
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

// Auth is the content of an authentication event. URL is for the person alone.
type Auth struct {
	Status          string `json:"status"` // required, success, denied
	URL             string `json:"url"`
	IntegrationName string `json:"integrationName"`
}

// ApprovalAction is a one-time link. Calling it is the decision.
type ApprovalAction struct {
	Action string `json:"action"` // approve, deny
	URL    string `json:"url"`
}

// Token returns the link's one-time token, "" when it has none. It does not build
// [url.Values], because an answer may hold many thousands of links.
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

var storedNames = []string{"id", "eventId", "event", "type", "data", "payload"}

// stored is one item of a run's events. Its id and name may stand under several
// keys, and its payload may be nested.
type stored struct{ id, eventID, event, kind, data, payload []byte }

func (s *stored) decode(item []byte) {
	for name, value := range rawjson.Members(item) {
		switch rawjson.Name(name, storedNames) {
		case "id":
			s.id = value
		case "eventId":
			s.eventID = value
		case "event":
			s.event = value
		case "type":
			s.kind = value
		case "data":
			s.data = value
		case "payload":
			s.payload = value
		}
	}
}

// number returns the item's integer id.
func (s *stored) number() (int64, bool) {
	for _, id := range [][]byte{s.id, s.eventID} {
		if len(id) > 0 { // else eventID would allocate an error, for millions of items
			if n, isInt := eventID(strings.Trim(string(id), `"`)); isInt {
				return n, true
			}
		}
	}
	return 0, false
}

// storedID returns the integer id of one item.
func storedID(raw []byte) (int64, bool) {
	var s stored
	s.decode(objectIn(raw))
	return s.number()
}

// storedEvent decodes one item. ok reports whether it has an integer id. An item
// that is no object is Raw alone.
func storedEvent(raw []byte) (e Event, ok bool) {
	var s stored
	item := objectIn(raw)
	s.decode(item)
	payload := item
	for _, nested := range [][]byte{s.data, s.payload} {
		if nested = objectIn(nested); bytes.HasPrefix(nested, []byte("{")) {
			payload = nested
			break
		}
	}
	e = decodeValidEvent(firstName(s.event, s.kind), payload)
	e.Raw = raw
	e.ID, ok = s.number()
	return e, ok
}

// objectIn returns the JSON object in a string. It returns any other value as it is.
func objectIn(raw []byte) []byte {
	if !bytes.HasPrefix(raw, []byte(`"`)) {
		return raw
	}
	text, _ := rawjson.String(raw)
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return []byte(text)
	}
	return raw
}

// firstName returns the first of the raw values that is a string, "" when none is.
func firstName(values ...[]byte) string {
	for _, v := range values {
		if s, _ := rawjson.String(v); s != "" {
			return s
		}
	}
	return ""
}

// decodeEvent decodes the payload of an event of the stream. Fields of an
// unexpected type stay empty. A payload that is no JSON is Raw alone.
func decodeEvent(name string, payload []byte) Event {
	if !json.Valid(payload) {
		return Event{Type: name, Raw: payload}
	}
	return decodeValidEvent(name, payload)
}

var eventNames = []string{"runStatus", "timestamp", "step", "auth", "approvalActions", "approval"}

// decodeValidEvent is decodeEvent for valid JSON.
func decodeValidEvent(name string, payload []byte) Event {
	e := Event{Type: name, Raw: payload}
	flat := name == EventStep // the step's fields may stand in the event itself
	for field, value := range rawjson.Members(payload) {
		switch rawjson.Name(field, eventNames) {
		case "runStatus":
			rawjson.ReadText(&e.RunStatus, value)
		case "timestamp":
			rawjson.ReadText(&e.Timestamp, value)
		case "step":
			rawjson.ReadObject(&e.Step, value, (*Step).decode)
		case "auth":
			rawjson.ReadObject(&e.Auth, value, (*Auth).decode)
		case "approvalActions":
			readLinks(&e.ApprovalActions, value)
		case "approval": // only steps have one
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
			rawjson.ReadText(&s.Reason, value)
		case "text":
			rawjson.ReadText(&s.Text, value)
		case "approval":
			rawjson.ReadText(&s.Approval, value)
		case "approvalActions":
			readLinks(&s.ApprovalActions, value)
		case "toolCalls":
			if more := rawjson.ReadList(&s.ToolCalls, value, maxCalls, (*ToolCall).decode); more > 0 {
				// A person decides on all of them, so they are kept as one.
				s.ToolCalls = append(s.ToolCalls, ToolCall{ToolName: fmt.Sprintf("[%d more tool calls]", more), ToolParameters: slices.Clone(value)})
			}
		}
	}
}

var callNames = []string{"toolCallId", "toolName", "toolParameters", "toolResult"}

// decode decodes a tool call. It copies what it keeps of the text, because
// approvals live longer than the answers that they came in.
func (c *ToolCall) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, callNames) {
		case "toolCallId":
			rawjson.ReadText(&c.ToolCallID, value)
		case "toolName":
			rawjson.ReadText(&c.ToolName, value)
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
			rawjson.ReadText(&a.Status, value)
		case "url":
			rawjson.ReadText(&a.URL, value)
		case "integrationName":
			rawjson.ReadText(&a.IntegrationName, value)
		}
	}
}

var linkNames = []string{"action", "url"}

func (a *ApprovalAction) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, linkNames) {
		case "action":
			rawjson.ReadText(&a.Action, value)
		case "url":
			rawjson.ReadText(&a.URL, value)
		}
	}
}

// readLinks fills the links of an approval. Beyond [maxLinks] it reads the links
// with a token only: all tokens must be known, to be hidden.
func readLinks(to *[]ApprovalAction, value []byte) {
	if rawjson.ReadList(to, value, maxLinks, (*ApprovalAction).decode) == 0 {
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

// guessType derives an event's type from its payload.
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

// maxEventID bounds the ids of events. JSON readers keep integers up to twice that,
// which leaves room for cursors beyond it.
const maxEventID = 1 << 52

// eventID parses an id as the integer that the API documents.
func eventID(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0 && n < maxEventID
}
