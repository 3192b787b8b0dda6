// Package cli is what a person types beyond serving.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

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
	if !d.colors {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Demo shows the whole job: the binary at self, as an MCP client would start
// it, on a sandbox of its own. It writes to out what an agent would do and see,
// in colors if out shows them.
func Demo(ctx context.Context, self string, out io.Writer, colors bool) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	box, err := sandbox.Listen(ctx, "127.0.0.1:0", sandbox.Options{Step: 600 * time.Millisecond})
	if err != nil {
		return err
	}
	defer box.Close()
	d := &demo{out: out, colors: colors, start: time.Now()}
	d.title("runs-mcp-server demo: an agent starts a run, watches it, approves, gets the result")
	d.note("The real server runs as a subprocess over stdio; the Run API is the embedded sandbox: nothing real happens.")
	c, err := client.NewStdioMCPClientWithOptions(self, []string{"TR_API_KEY=" + sandbox.DefaultKey},
		[]string{"stdio", "--api-url", box.URL(), "--user-id", "demo-user", "--integrations", "*", "--approvals", "agent", "--log-level", "error"})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Start(ctx); err != nil { // only now does it take notifications
		return err
	}
	d.client = c
	return d.play(ctx)
}

// demo is one performance.
type demo struct {
	client *client.Client
	out    io.Writer
	colors bool
	start  time.Time
	calls  int
}

// state is what the demo reads of a result.
type state struct {
	Summary          string          `json:"summary"`
	NextStep         string          `json:"nextStep"`
	RunID            string          `json:"runId"`
	Status           string          `json:"status"`
	Finished         bool            `json:"finished"`
	LastEventID      int64           `json:"lastEventId"`
	Result           json.RawMessage `json:"result"`
	PendingApprovals []struct {
		ApprovalID string `json:"approvalId"`
		Summary    string `json:"summary"`
		ToolCalls  []struct {
			ToolName       string          `json:"toolName"`
			ToolParameters json.RawMessage `json:"toolParameters"`
		} `json:"toolCalls"`
	} `json:"pendingApprovals"`
	Plan struct {
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
	d.line(plain, "server", st.Summary)
	for i, step := range st.Plan.Steps {
		d.line(dim, "plan", fmt.Sprintf("%d. %s", i+1, step.Description))
	}
	for !st.Finished {
		if st, err = d.follow(ctx, st); err != nil {
			return err
		}
	}
	d.line(green, "server", st.Summary)
	result, _ := json.MarshalIndent(st.Result, "  ", "  ")
	fmt.Fprintf(d.out, "\n  %s %s\n\n", d.set(bold, "result"), result)
	d.note(fmt.Sprintf("Done in %.1f s and %d tool calls. The run waited for approval; the links never left the server.", time.Since(d.start).Seconds(), d.calls))
	return nil
}

// follow does what an agent does next: decide if something waits, else watch.
func (d *demo) follow(ctx context.Context, st state) (state, error) {
	if len(st.PendingApprovals) == 0 {
		d.line(bold, "agent", fmt.Sprintf("get_run afterEventId %d, waitSeconds 10", st.LastEventID))
		next, err := d.call(ctx, "get_run", map[string]any{"runId": st.RunID, "afterEventId": st.LastEventID, "waitSeconds": 10})
		if err == nil && !next.Finished {
			d.line(plain, "server", next.Summary)
		}
		return next, err
	}
	for _, p := range st.PendingApprovals {
		d.line(gold, "asked", p.Summary)
		for _, c := range p.ToolCalls {
			d.line(gold, "", fmt.Sprintf("%s %s", c.ToolName, c.ToolParameters))
		}
	}
	d.line(bold, "agent", "approve "+st.PendingApprovals[0].ApprovalID+" (the operator allowed it: --approvals=agent)")
	next, err := d.call(ctx, "approve", map[string]any{"runId": st.RunID, "approvalId": st.PendingApprovals[0].ApprovalID, "decision": "approve"})
	if err == nil {
		next.LastEventID = st.LastEventID // watch what happened since we last looked
	}
	return next, err
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

func (d *demo) title(text string) { fmt.Fprintf(d.out, "\n%s\n", d.set(bold, text)) }

func (d *demo) note(text string) { fmt.Fprintf(d.out, "%s\n\n", d.set(dim, text)) }

// line prints one thing that was said, with the time since the start.
func (d *demo) line(s style, who, text string) {
	at := fmt.Sprintf("%5.1fs", time.Since(d.start).Seconds())
	text = fmt.Sprintf("%-6s %s", who, strings.ReplaceAll(text, "\n", " "))
	fmt.Fprintf(d.out, "%s  %s\n", d.set(dim, at), d.set(s, text))
}
