//go:build diagnostic

package diagnostic

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// The forms that the suite expects.
const (
	nameForm    = `{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}`
	colorForm   = `{"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}`
	confirmForm = `{"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}`
	contextForm = `{"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}`
	userForm    = `{
		"type": "object",
		"properties": {
			"username": {"type": "string", "description": "User's response"},
			"email": {"type": "string", "description": "User's email address"}
		},
		"required": ["username", "email"]
	}`
	defaultsForm = `{
		"type": "object",
		"properties": {
			"name": {"type": "string", "default": "John Doe"},
			"age": {"type": "integer", "default": 30},
			"score": {"type": "number", "default": 95.5},
			"status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
			"verified": {"type": "boolean", "default": true}
		}
	}`
	enumsForm = `{
		"type": "object",
		"properties": {
			"untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
			"titledSingle": {"type": "string", "oneOf": [
				{"const": "value1", "title": "First Option"}, {"const": "value2", "title": "Second Option"}]},
			"legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
			"untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
			"titledMulti": {"type": "array", "items": {"anyOf": [
				{"const": "value1", "title": "First Choice"}, {"const": "value2", "title": "Second Choice"}]}}
		}
	}`
)

// addInputTools adds the tools that ask the client for input.
func addInputTools(s *server.MCPServer) {
	ask := func(name, schema string, q func(mcp.CallToolRequest) inputRounds) {
		s.AddTool(mcp.NewToolWithRawSchema(name, fixture, json.RawMessage(schema)),
			func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				more, err := q(r).next(ctx, r.Params.MultiRoundTripParams)
				switch {
				case err != nil:
					return nil, err
				case more != nil:
					return &mcp.CallToolResult{Result: mcp.Result{ResultType: mcp.ResultTypeInputRequired}, MultiRoundTripResult: *more}, nil
				}
				return answerText(r.Params.InputResponses)
			})
	}
	fixed := func(name string, key stateKey, rounds ...mcp.InputRequests) {
		ask(name, noArguments, func(mcp.CallToolRequest) inputRounds { return inputRounds{rounds, key} })
	}
	argument := func(name, argument, id string, request func(string) mcp.InputRequest) {
		schema := fmt.Sprintf(`{"type": "object", "properties": {%[1]q: {"type": "string"}}, "required": [%[1]q]}`, argument)
		ask(name, schema, func(r mcp.CallToolRequest) inputRounds {
			return inputRounds{rounds: []mcp.InputRequests{{id: request(r.GetString(argument, ""))}}}
		})
	}
	argument("test_sampling", "prompt", "answer", sample)
	argument("test_elicitation", "message", "user", func(message string) mcp.InputRequest { return elicit(message, userForm) })
	fixed("test_elicitation_sep1034_defaults", nil, mcp.InputRequests{"defaults": elicit("Check the defaults.", defaultsForm)})
	fixed("test_elicitation_sep1330_enums", nil, mcp.InputRequests{"enums": elicit("Choose.", enumsForm)})
	fixed("test_streaming_elicitation", nil, mcp.InputRequests{"confirm": elicit("Please confirm.", confirmForm)})

	askName := elicit("What is your name?", nameForm)
	confirm := mcp.InputRequests{"confirm": elicit("Please confirm.", confirmForm)}
	fixed("test_input_required_result_elicitation", nil, mcp.InputRequests{"user_name": askName})
	fixed("test_input_required_result_sampling", nil, mcp.InputRequests{"capital_question": sample("What is the capital of France?")})
	fixed("test_input_required_result_list_roots", nil, mcp.InputRequests{"client_roots": mcp.NewRootsInputRequest()})
	fixed("test_input_required_result_request_state", newStateKey(), confirm)
	fixed("test_input_required_result_tampered_state", newStateKey(), confirm)
	fixed("test_input_required_result_multiple_inputs", newStateKey(), mcp.InputRequests{
		"user_name": askName, "greeting": sample("Generate a greeting."), "client_roots": mcp.NewRootsInputRequest()})
	fixed("test_input_required_result_multi_round", newStateKey(),
		mcp.InputRequests{"step1": elicit("Step 1: What is your name?", nameForm)},
		mcp.InputRequests{"step2": elicit("Step 2: What is your favorite color?", colorForm)})
	fixed("test_input_required_result_capabilities", nil, mcp.InputRequests{
		"user_name": askName, "greeting": sample("Generate a greeting.")})
}

// answerText returns the result of a tool: the client's answers, as JSON.
func answerText(answers mcp.InputResponses) (*mcp.CallToolResult, error) {
	text, err := json.Marshal(answers)
	if err != nil {
		return nil, err
	}
	return mcp.NewToolResultText("state-ok, the client answered: " + string(text)), nil
}
