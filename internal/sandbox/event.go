package sandbox

import "encoding/json"

// payload is the data of one event. Every event has the first three fields.
type payload struct {
	RunID           string         `json:"runId"`
	RunStatus       string         `json:"runStatus"`
	Timestamp       string         `json:"timestamp"`
	Step            *step          `json:"step,omitempty"`
	Auth            *auth          `json:"auth,omitempty"`
	ApprovalActions []approvalLink `json:"approvalActions,omitempty"`
	Action          Decision       `json:"action,omitempty"`     // of run_action; the contract names no field for it
	ToolCallID      string         `json:"toolCallId,omitempty"` // of run_action on a step
	Unknown         any            `json:"sandboxUnknown,omitempty"`
	Debug           string         `json:"debug,omitempty"` // for leak=1: a secret in an unknown field
}

type step struct {
	Reason          string         `json:"reason,omitempty"`
	Approval        string         `json:"approval,omitempty"`
	ApprovalActions []approvalLink `json:"approvalActions,omitempty"`
	ToolCalls       []toolCall     `json:"toolCalls,omitempty"`
	Text            string         `json:"text,omitempty"`
}

type toolCall struct {
	ToolCallID     string         `json:"toolCallId"`
	ToolName       string         `json:"toolName"`
	ToolParameters map[string]any `json:"toolParameters"`
	ToolResult     *toolResult    `json:"toolResult,omitempty"`
}

type toolResult struct {
	ApprovalResult  approvalResult `json:"approvalResult"`
	ExecutionResult map[string]any `json:"executionResult,omitempty"`
}

type approvalResult struct {
	Status string `json:"status"`
	Text   string `json:"text"`
}

type auth struct {
	Status          string `json:"status"`
	URL             string `json:"url,omitempty"`
	IntegrationName string `json:"integrationName,omitempty"`
}

type approvalLink struct {
	Action Decision `json:"action"`
	URL    string   `json:"url"`
}

// event is one event of a run. It does not change once it is stored. The links are
// not in the body, because some readers do not get them.
type event struct {
	id    int
	name  string
	body  payload
	links []approvalLink
}

// payload returns the event's data with the given links. Without tool calls a step
// has only its text.
func (e *event) payload(toolCalls bool, links []approvalLink) payload {
	shown := e.body
	switch {
	case shown.Step == nil:
		shown.ApprovalActions = links
	case toolCalls:
		s := *shown.Step
		s.ApprovalActions = links
		shown.Step = &s
	default:
		shown.Step = &step{Text: shown.Step.Text}
	}
	return shown
}

// storedItem returns the event as an item of a run's events. Under events=bare it
// has no id and name.
func (e *event) storedItem(b *behaviour) any {
	links := e.links
	if b.links == "stream-only" {
		links = nil
	}
	body := e.payload(true, links)
	if b.events == "bare" {
		return body
	}
	return struct {
		ID    int    `json:"id"`
		Event string `json:"event"`
		payload
	}{e.id, e.name, body}
}

func (e *event) data(toolCalls bool, links []approvalLink) ([]byte, error) {
	return json.Marshal(e.payload(toolCalls, links))
}
