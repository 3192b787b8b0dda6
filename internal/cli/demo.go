// Package cli is what a person types beyond serving.
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

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/sandbox"
)

// style is how a text is set on a terminal: an SGR parameter.
type style string

const (
	plain style = "0"
	bold  style = "1"
	dim   style = "2"
	green style = "32"
	gold  style = "33"
	blue  style = "36"
)

// set returns text in a style, or as it is where there are no colors.
func (d *demo) set(s style, text string) string {
	if !d.Colors {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// DemoOptions say how the demo is performed.
type DemoOptions struct {
	Self   string    // the program, which serves as a subprocess
	In     io.Reader // a terminal whose person decides; nil: the demo plays the person
	Out    io.Writer
	Colors bool
}

const (
	// demoTime bounds a demo that nobody takes part in.
	demoTime = 20 * time.Second
	// personTime bounds one that waits for a person to decide.
	personTime = 5 * time.Minute
)

// Demo shows the whole job: the program, as an MCP client would start it, on a
// sandbox of its own. It writes what an agent would do and see, and asks the person
// at the terminal, through the client, to decide what the run waits for.
func Demo(ctx context.Context, o DemoOptions) error {
	limit := demoTime
	if o.In != nil {
		limit = personTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	box, err := sandbox.Listen(ctx, "127.0.0.1:0", sandbox.Options{Step: 600 * time.Millisecond})
	if err != nil {
		return err
	}
	defer box.Close()
	d := &demo{DemoOptions: o, start: time.Now()}
	if o.In != nil {
		d.lines = lines(ctx, o.In)
	}
	d.title("runs-mcp-server demo: an agent starts a run, watches it, a person approves, the agent gets the result")
	d.note("The real server runs as a subprocess over stdio; the Run API is the embedded sandbox: nothing real happens.")
	args := []string{"stdio", "--api-url", box.URL(), "--user-id", "demo-user", "--integrations", "*", "--log-level", "error"}
	d.client = client.NewClient(transport.NewStdioWithOptions(o.Self, []string{"TR_API_KEY=" + sandbox.DefaultKey}, args,
		transport.WithCommandLogger(slog.New(slog.DiscardHandler))), client.WithElicitationHandler(d))
	if err := d.client.Start(ctx); err != nil {
		return err
	}
	defer d.client.Close()
	return d.play(ctx)
}

// demo is one performance.
type demo struct {
	DemoOptions
	client *client.Client
	lines  <-chan string // what the person types; nil: the demo plays them
	start  time.Time
	calls  int
}

// Elicit asks the person, as an MCP client does whom the server asks to. It
// implements [client.ElicitationHandler].
func (d *demo) Elicit(ctx context.Context, ask mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	for line := range strings.Lines(ask.Params.Message) {
		d.line(gold, "asked", strings.TrimSpace(line))
	}
	decision := approval.Approve
	if d.lines == nil {
		d.line(gold, "person", "approve (the demo plays the person; at a terminal it asks you)")
	} else {
		var err error
		if decision, err = d.ask(ctx); err != nil {
			return nil, err
		}
	}
	result := &mcp.ElicitationResult{}
	result.Action = mcp.ElicitationResponseActionCancel
	if decision != "" {
		result.Action, result.Content = mcp.ElicitationResponseActionAccept, map[string]any{"decision": string(decision)}
	}
	return result, nil
}

// ask has the person type a decision, "" where they leave it at that.
func (d *demo) ask(ctx context.Context) (approval.Decision, error) {
	fmt.Fprintf(d.Out, "\n  %s ", d.set(bold, "Do you approve? y or n, nothing to leave it:"))
	for {
		line, err := next(ctx, d.lines)
		if err != nil {
			return "", err
		}
		if decision := typed(line); decision != "" || strings.TrimSpace(line) == "" {
			return decision, nil
		}
		fmt.Fprintf(d.Out, "  %s ", d.set(bold, "Type y or n:"))
	}
}

// next returns the next line, "" at the end of the input. Who interrupts has
// not decided, whatever they type after that.
func next(ctx context.Context, lines <-chan string) (string, error) {
	select {
	case line := <-lines:
		if ctx.Err() == nil {
			return line, nil
		}
	case <-ctx.Done():
	}
	return "", errInterrupted
}

// state is what the demo reads of a result.
type state struct {
	Summary     string          `json:"summary"`
	NextStep    string          `json:"nextStep"`
	RunID       string          `json:"runId"`
	Status      string          `json:"status"`
	Finished    bool            `json:"finished"`
	LastEventID int64           `json:"lastEventId"`
	WaitEnded   string          `json:"waitEnded"`
	Result      json.RawMessage `json:"result"`
	Plan        struct {
		Steps []struct {
			Description string `json:"description"`
		} `json:"steps"`
	} `json:"plan"`
}

func (d *demo) play(ctx context.Context) error {
	d.client.OnNotification(func(n mcp.JSONRPCNotification) {
		if message, ok := n.Params.AdditionalFields["message"].(string); ok {
			d.line(blue, "event", message)
		}
	})
	hello, err := d.client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: mcp.LATEST_LEGACY_PROTOCOL_VERSION, ClientInfo: mcp.Implementation{Name: "demo", Version: "1"},
	}})
	if err != nil {
		return err
	}
	d.line(dim, "agent", fmt.Sprintf("connected to %s %s, MCP %s", hello.ServerInfo.Name, hello.ServerInfo.Version, hello.ProtocolVersion))
	const intent = "Find overdue invoices and remind the account owners"
	d.line(bold, "agent", fmt.Sprintf("create_run %q, approvalStrategy ON_TOOL_CALL", intent))
	st, err := d.call(ctx, "create_run", map[string]any{"intent": intent, "context": "sandbox: steps=3", "approvalStrategy": "ON_TOOL_CALL"})
	if err != nil {
		return err
	}
	d.line(plain, "server", "run "+st.RunID+". "+st.Summary)
	for i, step := range st.Plan.Steps {
		d.line(dim, "plan", fmt.Sprintf("%d. %s", i+1, step.Description))
	}
	for !st.Finished {
		d.line(bold, "agent", fmt.Sprintf("get_run afterEventId %d, waitSeconds 45", st.LastEventID))
		if st, err = d.call(ctx, "get_run", map[string]any{"runId": st.RunID, "afterEventId": st.LastEventID, "waitSeconds": 45}); err != nil {
			return err
		}
		if st.WaitEnded == "needs_person" {
			d.line(plain, "server", st.Summary)
			d.note("Nobody decided, so the run waits on and the demo ends here. Nothing was sent.")
			return nil
		}
	}
	d.line(green, "server", st.Summary)
	if result, err := json.MarshalIndent(st.Result, "  ", "  "); err == nil && st.Result != nil {
		fmt.Fprintf(d.Out, "\n  %s %s\n\n", d.set(bold, "result"), result)
	}
	d.note(fmt.Sprintf("Done in %.1f s and %d tool calls. A person decided; the approval links never left the server.", time.Since(d.start).Seconds(), d.calls))
	return nil
}

func (d *demo) call(ctx context.Context, tool string, args map[string]any) (state, error) {
	d.calls++
	req := mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool, Arguments: args, Meta: &mcp.Meta{ProgressToken: tool + fmt.Sprint(d.calls)}}}
	result, err := d.client.CallTool(ctx, req)
	if err != nil {
		return state{}, err
	}
	if len(result.Content) == 0 {
		return state{}, errors.New(tool + " answered nothing")
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok || result.IsError {
		return state{}, fmt.Errorf("%s failed: %v", tool, result.Content[0])
	}
	var st state
	return st, json.Unmarshal([]byte(text.Text), &st)
}

func (d *demo) title(text string) { fmt.Fprintf(d.Out, "\n%s\n", d.set(bold, text)) }

func (d *demo) note(text string) { fmt.Fprintf(d.Out, "%s\n\n", d.set(dim, text)) }

// line prints one thing that was said, with the time since the start.
func (d *demo) line(s style, who, text string) {
	at := fmt.Sprintf("%5.1fs", time.Since(d.start).Seconds())
	text = fmt.Sprintf("%-6s %s", who, strings.ReplaceAll(text, "\n", " "))
	fmt.Fprintf(d.Out, "%s  %s\n", d.set(dim, at), d.set(s, text))
}
