package view

import (
	"fmt"

	"runs-mcp-server/client"
)

// ToolCall is a call of an integration's tool.
type ToolCall struct {
	ToolCallID     string `json:"toolCallId,omitempty"`
	ToolName       string `json:"toolName"`
	ToolParameters any    `json:"toolParameters,omitempty"`
	ToolResult     any    `json:"toolResult,omitempty"`
}

// maxCall is the size of the parameters or the result of one tool call, in bytes.
const maxCall = 4 << 10

// maxToolCalls is how many tool calls of a step are shown.
const maxToolCalls = 20

// ToolCalls renders the tool calls of a step.
func (v View) ToolCalls(calls []client.ToolCall) []ToolCall {
	out := make([]ToolCall, 0, min(len(calls), maxToolCalls))
	for _, c := range calls[:min(len(calls), maxToolCalls)] {
		out = append(out, ToolCall{
			ToolCallID:     v.Line(c.ToolCallID, maxWord),
			ToolName:       v.Line(c.ToolName, maxWord),
			ToolParameters: v.Value(c.ToolParameters, maxCall),
			ToolResult:     v.Value(c.ToolResult, maxCall),
		})
	}
	return out
}

// ToolCallsWithin renders tool calls in about budget bytes of JSON. If some are left
// out, one more says how many.
func (v View) ToolCallsWithin(calls []client.ToolCall, budget int) []ToolCall {
	shown := v.ToolCalls(calls)
	for i := range shown {
		if len(JSON(shown[i])) > budget {
			shown[i].ToolParameters = v.Value(calls[i].ToolParameters, budget/2)
			shown[i].ToolResult = v.Value(calls[i].ToolResult, budget/2)
		}
		if budget -= len(JSON(shown[i])); budget <= 0 {
			shown = shown[:i+1]
			break
		}
	}
	if n := len(calls) - len(shown); n > 0 {
		shown = append(shown, ToolCall{ToolName: fmt.Sprintf("[%d more tool calls left out]", n)})
	}
	return shown
}
