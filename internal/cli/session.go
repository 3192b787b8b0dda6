package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	mcpclient "github.com/mark3labs/mcp-go/client"
	mcptransport "github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/server"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// session is a person's own MCP client of the server, in the same process. Commands call
// tools with it, as every client does.
type session struct {
	ctx      context.Context // of the command
	mcp      *mcpclient.Client
	served   chan error // receives the end of the server
	progress func(message string)
}

// openSession serves one client within the process, with the key of a caller. person is
// asked what the server asks; nil: nobody can be asked. progress, unless it is nil,
// receives the progress of calls.
func openSession(ctx context.Context, s *server.Server, caller client.Caller, log *slog.Logger, person mcpclient.ElicitationHandler, progress func(string)) (*session, error) {
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	opened := &session{ctx: ctx, served: make(chan error, 1), progress: progress}
	go func() {
		err := transport.ServeStdio(client.WithCaller(ctx, caller), s.MCP(Name, Version), serverIn, serverOut, transport.Options{Logger: log, Watch: s.Watch()})
		_ = serverOut.Close()
		opened.served <- err
	}()
	var options []mcpclient.ClientOption
	if person != nil {
		options = append(options, mcpclient.WithElicitationHandler(person), mcpclient.WithClientCapabilities(mcp.ClientCapabilities{
			Elicitation: &mcp.ElicitationCapability{Form: &struct{}{}, URL: &struct{}{}},
		}))
	}
	opened.mcp = mcpclient.NewClient(mcptransport.NewIO(clientIn, clientOut, io.NopCloser(strings.NewReader(""))), options...)
	if err := opened.mcp.Start(ctx); err != nil {
		opened.close()
		return nil, err
	}
	opened.mcp.OnNotification(func(n mcp.JSONRPCNotification) {
		if message, ok := n.Params.AdditionalFields["message"].(string); ok && progress != nil {
			progress(message)
		}
	})
	_, err := opened.mcp.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: mcp.LATEST_LEGACY_PROTOCOL_VERSION, ClientInfo: mcp.Implementation{Name: Name, Version: Version},
	}})
	if err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

// close ends the session and waits for the server.
func (s *session) close() {
	_ = s.mcp.Close()
	<-s.served
}

// toolTimeout bounds a call of a tool: the longest wait, and time for the answer.
const toolTimeout = 90 * time.Second

// toolError is the failure of a tool.
type toolError struct {
	text   string // as a model reads it
	fields any    // as a program does
}

// Error returns the text.
func (e *toolError) Error() string { return e.text }

// callTool calls a tool and returns its result, as compact JSON in the order of its
// fields. A failure of the tool is a [toolError]. A signal does not cancel the call, but
// lets the server answer it at once: a run that was created is named.
func (s *session) callTool(tool string, args map[string]any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), toolTimeout)
	defer cancel()
	req := mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool, Arguments: args}}
	if s.progress != nil {
		req.Params.Meta = &mcp.Meta{ProgressToken: tool}
	}
	result, err := s.mcp.CallTool(ctx, req)
	if err != nil {
		return nil, err
	}
	text := ""
	if len(result.Content) > 0 {
		if content, ok := result.Content[0].(mcp.TextContent); ok {
			text = content.Text
		}
	}
	if !result.IsError {
		return json.RawMessage(text), nil
	}
	failed := &toolError{text: text}
	if result.Meta != nil {
		failed.fields = result.Meta.AdditionalFields[tools.FailureMeta]
	}
	return nil, failed
}

// inputSchema returns the JSON Schema of a tool's arguments.
func (s *session) inputSchema(tool string) (mcp.ToolInputSchema, error) {
	list, err := s.mcp.ListTools(s.ctx, mcp.ListToolsRequest{})
	if err != nil {
		return mcp.ToolInputSchema{}, err
	}
	var names []string
	for _, t := range list.Tools {
		if t.Name == tool {
			return t.InputSchema, nil
		}
		names = append(names, t.Name)
	}
	return mcp.ToolInputSchema{}, usageErrorf("these flags offer no tool %s; there are: %s", tool, strings.Join(names, ", "))
}

// terminalPerson asks the person at the terminal what the server asks. It implements
// [mcpclient.ElicitationHandler].
type terminalPerson struct {
	out      io.Writer
	keyboard *keyboard
}

// Elicit shows a question and returns what the person types. What they typed before it is
// no answer.
func (t *terminalPerson) Elicit(ctx context.Context, ask mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	result := &mcp.ElicitationResult{}
	result.Action = mcp.ElicitationResponseActionCancel
	answer := t.keyboard.next()
	if ask.Params.URL != "" {
		fmt.Fprintf(t.out, "%s\n%s\n%s", ask.Params.Message, ask.Params.URL, promptLink)
	} else {
		fmt.Fprintf(t.out, "%s\n\n%s", ask.Params.Message, promptDecision)
	}
	line, err := nextLine(ctx, answer)
	if err != nil {
		fmt.Fprintln(t.out)
		return nil, errors.Join(err, context.Canceled)
	}
	decision := parseDecision(line)
	switch {
	case ask.Params.URL != "" && decision == "approve":
		result.Action = mcp.ElicitationResponseActionAccept
	case ask.Params.URL == "" && decision != "":
		result.Action, result.Content = mcp.ElicitationResponseActionAccept, map[string]any{"decision": string(decision)}
	}
	return result, nil
}
