package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// situation is a case that was played up to the model's turn.
type situation struct {
	messages []message
	tools    []tool
	right    []rightCall // with filled placeholders
}

// playCase plays the turns of a case on a server of its own.
func playCase(ctx context.Context, server string, c evalCase) (*situation, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	session, err := connect(ctx, server, c)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	s := &situation{messages: []message{{Role: "system", Content: setting + session.InitializeResult().Instructions}}}
	listed, err := session.ListTools(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, t := range listed.Tools {
		s.tools = append(s.tools, tool{Type: "function", Function: function{Name: t.Name, Description: t.Description, Parameters: t.InputSchema}})
	}
	var latest any
	for i, t := range c.Turns {
		if latest, err = s.playTurn(ctx, session, t, latest); err != nil {
			return nil, fmt.Errorf("turn %d: %w", i, err)
		}
	}
	for _, r := range c.Right {
		filled, err := fill(r.Arguments, latest)
		if err != nil {
			return nil, err
		}
		r.Arguments, _ = filled.(map[string]any)
		s.right = append(s.right, r)
	}
	return s, nil
}

// setting stands before the server's instructions in the system message.
const setting = "You help the user with the tools of an MCP server. Call a tool only when it is the right next step; otherwise answer in words.\n\n"

// connect starts the server with its sandbox, and connects the case's client.
func connect(ctx context.Context, server string, c evalCase) (*sdk.ClientSession, error) {
	o := &sdk.ClientOptions{}
	if c.Asks {
		o.ElicitationHandler = func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			return &sdk.ElicitResult{Action: "cancel"}, nil
		}
	}
	command := exec.CommandContext(ctx, server, append([]string{"--sandbox", "--log-level=error"}, c.Flags...)...)
	var log bytes.Buffer
	command.Stderr = &log
	session, err := sdk.NewClient(&sdk.Implementation{Name: "evals", Version: "1"}, o).Connect(ctx, &sdk.CommandTransport{Command: command}, nil)
	if err != nil {
		return nil, fmt.Errorf("the server does not serve: %w %s", err, log.Bytes())
	}
	return session, nil
}

// playTurn adds one turn to the messages and returns the latest result.
func (s *situation) playTurn(ctx context.Context, session *sdk.ClientSession, t turn, latest any) (any, error) {
	user, err := fillText(t.User, latest)
	if err != nil {
		return nil, err
	}
	switch {
	case t.User != "":
		s.messages = append(s.messages, message{Role: "user", Content: user})
		return latest, nil
	case t.Assistant != "":
		s.messages = append(s.messages, message{Role: "assistant", Content: t.Assistant})
		return latest, nil
	}
	filled, err := fill(t.Arguments, latest)
	if err != nil {
		return nil, err
	}
	arguments, _ := filled.(map[string]any)
	shown, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	answer := t.Failure
	if answer == "" {
		if answer, err = callTool(ctx, session, t, arguments); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(answer), &latest); err != nil {
			return nil, fmt.Errorf("%s did not answer JSON: %w", t.Call, err)
		}
	}
	id := fmt.Sprintf("call_%d", len(s.messages))
	s.messages = append(s.messages,
		message{Role: "assistant", ToolCalls: []toolCall{{ID: id, Type: "function", Function: functionCall{Name: t.Call, Arguments: string(shown)}}}},
		message{Role: "tool", ToolCallID: id, Content: answer})
	return latest, nil
}

// callTool calls a tool and returns the text that a model reads.
func callTool(ctx context.Context, session *sdk.ClientSession, t turn, arguments map[string]any) (string, error) {
	if t.Behaviour != "" {
		given, _ := arguments["context"].(string)
		arguments["context"] = strings.TrimSpace(given + "\nsandbox: " + t.Behaviour)
	}
	result, err := session.CallTool(ctx, &sdk.CallToolParams{Name: t.Call, Arguments: arguments})
	if err != nil {
		return "", err
	}
	if len(result.Content) == 0 {
		return "", errors.New("an answer without content")
	}
	text, ok := result.Content[0].(*sdk.TextContent)
	if !ok || result.IsError {
		return "", fmt.Errorf("%s failed: %v", t.Call, text)
	}
	return text.Text, nil
}

// checkCall returns an error if there is no such tool, or if its input schema does not
// allow the arguments.
func (s *situation) checkCall(name string, arguments map[string]any) error {
	for _, t := range s.tools {
		if t.Function.Name != name {
			continue
		}
		// The schema allows other arguments; the tools with effects do not.
		schema, _ := t.Function.Parameters.(map[string]any)
		properties, _ := schema["properties"].(map[string]any)
		for argument := range arguments {
			if properties[argument] == nil {
				return fmt.Errorf("%s has no argument %s", name, argument)
			}
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("urn:arguments", t.Function.Parameters); err != nil {
			return err
		}
		compiled, err := c.Compile("urn:arguments")
		if err != nil {
			return err
		}
		return compiled.Validate(map[string]any(arguments))
	}
	return fmt.Errorf("there is no tool %s", name)
}
