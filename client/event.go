package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
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
	// Raw is the payload as it came. It may hold approval links.
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

// Token returns the link's one-time token, "" when it has none.
func (a ApprovalAction) Token() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return ""
	}
	return u.Query().Get("token")
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

// ApprovalTokens returns the tokens of all events that the answer held.
func (r *Run) ApprovalTokens() []string {
	var tokens []string
	for _, e := range r.Events {
		tokens = append(tokens, e.ApprovalTokens()...)
	}
	return tokens
}

// storedEvents reads the items of a run's events. Where they carry integer ids
// they are put in their order, and one that has none, or another's, takes the
// next; where none does, every item's position is its cursor.
func storedEvents(items []json.RawMessage) (events []Event, positions bool) {
	if items == nil {
		return nil, false
	}
	events = make([]Event, 0, len(items))
	numbered := 0
	for _, raw := range items {
		e, ok := storedEvent(raw)
		if ok {
			numbered++
		}
		events = append(events, e)
	}
	if numbered == len(events) {
		slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.ID, b.ID) })
	}
	last := int64(0)
	for i := range events {
		if e := &events[i]; numbered == 0 || e.ID <= last {
			e.ID = last + 1
		}
		last = events[i].ID
	}
	return events, numbered == 0 && len(events) > 0
}

// storedEvent reads one item, whose id and name may stand under several keys
// and whose payload may be nested; ok reports whether it had an integer id.
func storedEvent(raw json.RawMessage) (e Event, ok bool) {
	var outer struct {
		ID      json.RawMessage `json:"id"`
		EventID json.RawMessage `json:"eventId"`
		Event   json.RawMessage `json:"event"`
		Type    json.RawMessage `json:"type"`
		Data    json.RawMessage `json:"data"`
		Payload json.RawMessage `json:"payload"`
	}
	item := objectIn(raw)
	_ = decodeLenient(item, &outer) // an item that is no object stays as its raw self
	payload := item
	for _, nested := range []json.RawMessage{outer.Data, outer.Payload} {
		if nested = objectIn(nested); bytes.HasPrefix(nested, []byte("{")) {
			payload = nested
			break
		}
	}
	e = decodeEvent(firstName(outer.Event, outer.Type), payload)
	e.Raw = slices.Clone(raw)
	for _, id := range []json.RawMessage{outer.ID, outer.EventID} {
		if n, isInt := eventID(strings.Trim(string(id), `"`)); isInt {
			e.ID, ok = n, true
			break
		}
	}
	return e, ok
}

// objectIn returns the JSON object that a value is or, as a string, holds; any
// other value as it is.
func objectIn(raw json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) == nil && strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text)) {
		return bytes.TrimSpace([]byte(text))
	}
	return bytes.TrimSpace(raw)
}

// firstName returns the first of the raw values that is a string, "" when none is.
func firstName(values ...json.RawMessage) string {
	for _, v := range values {
		var s string
		if json.Unmarshal(v, &s) == nil && s != "" {
			return s
		}
	}
	return ""
}

// decodeEvent reads an event's payload. Fields of an unexpected type stay empty.
func decodeEvent(name string, payload []byte) Event {
	e := Event{Type: name, Raw: payload}
	_ = decodeLenient(payload, &e)
	if e.Step == nil && (name == EventStep || name == "") {
		var flat Step
		_ = decodeLenient(payload, &flat)
		if name == EventStep || flat.Approval != "" { // which only steps have
			e.Step = &flat
		}
	}
	if e.Type == "" {
		e.Type = guessType(e)
	}
	return e
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
