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
	Action          Decision       `json:"action,omitempty"`     // of run_action; the contract names no field
	ToolCallID      string         `json:"toolCallId,omitempty"` // of run_action: the step it belongs to
	Unknown         any            `json:"sandboxUnknown,omitempty"`
	Debug           string         `json:"debug,omitempty"` // where leak=1 puts secrets into an unknown key
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

// event is one event of a run. Its fields never change once it is stored; the
// links stand apart from the body because some readers get none.
type event struct {
	id    int
	name  string
	body  payload
	links []approvalLink
}

// show returns the event's data with the given links in their place. Without
// tool calls a step keeps only its text.
func (e *event) show(toolCalls bool, links []approvalLink) payload {
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

// stored is the event as an item of a run's events, with or without its id and
// name beside the payload.
func (e *event) stored(b *behaviour) any {
	links := e.links
	if b.links == "stream-only" {
		links = nil
	}
	body := e.show(true, links)
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
	return json.Marshal(e.show(toolCalls, links))
}
