package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/sandbox"
)

// demoCommand shows the whole job on the embedded sandbox.
type demoCommand struct{}

// Run shows the whole job.
func (demoCommand) Run(p *process) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d := &demo{self: self, screen: newScreen(p)}
	if isTerminal(p.stdin) && isTerminal(p.stdout) {
		d.in = p.stdin
	}
	return d.run(p.ctx)
}

const (
	// unattendedTimeout bounds a demo that plays the person itself.
	unattendedTimeout = 20 * time.Second
	// attendedTimeout bounds a demo in which a person decides.
	attendedTimeout = 5 * time.Minute
)

// demo is one execution of the command. It is an MCP client of the program, which
// it starts as a subprocess.
type demo struct {
	self string    // the path of the program
	in   io.Reader // the terminal of the person who decides; nil: the demo plays the person
	*screen

	client *client.Client
	lines  <-chan string // what the person types; nil without a terminal
	start  time.Time
	calls  int
}

// run starts the program on a sandbox of its own, as an MCP client would, and
// prints what an agent would do and see. It asks the person at the terminal,
// through the client, to decide what the run waits for.
func (d *demo) run(ctx context.Context) error {
	limit := unattendedTimeout
	if d.in != nil {
		limit = attendedTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	box, err := sandbox.Listen(ctx, "127.0.0.1:0", sandbox.Options{Step: 600 * time.Millisecond})
	if err != nil {
		return err
	}
	defer box.Close()
	d.start = time.Now()
	if d.in != nil {
		d.lines = readLines(ctx, d.in)
	}
	d.printTitle("runs-mcp-server demo: an agent starts a run, watches it, a person approves, the agent gets the result")
	d.printNote("The real server runs as a subprocess over stdio; the Run API is the embedded sandbox: nothing real happens.")
	args := []string{"stdio", "--api-url", box.URL(), "--user-id", "demo-user", "--integrations", "*", "--log-level", "error"}
	d.client = client.NewClient(transport.NewStdioWithOptions(d.self, []string{"TR_API_KEY=" + sandbox.DefaultKey}, args,
		transport.WithCommandLogger(slog.New(slog.DiscardHandler))), client.WithElicitationHandler(d))
	if err := d.client.Start(ctx); err != nil {
		return err
	}
	defer d.client.Close()
	return d.play(ctx)
}

// Elicit asks the person on behalf of the server. It implements
// [client.ElicitationHandler].
func (d *demo) Elicit(ctx context.Context, ask mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	for line := range strings.Lines(ask.Params.Message) {
		d.printLine(gold, "asked", strings.TrimSpace(line))
	}
	decision := approval.Approve
	if d.lines == nil {
		d.printLine(gold, "person", "approve (the demo plays the person; at a terminal it asks you)")
	} else {
		var err error
		if decision, err = d.askPerson(ctx); err != nil {
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

// askPerson returns the decision that the person types, "" for an empty line.
func (d *demo) askPerson(ctx context.Context) (approval.Decision, error) {
	fmt.Fprintf(d.out, "\n  %s ", d.styled(bold, "Do you approve? y or n, nothing to leave it:"))
	for {
		line, err := nextLine(ctx, d.lines)
		if err != nil {
			return "", err
		}
		if decision := parseDecision(line); decision != "" || strings.TrimSpace(line) == "" {
			return decision, nil
		}
		fmt.Fprintf(d.out, "  %s ", d.styled(bold, "Type y or n:"))
	}
}

// toolResult holds the fields of a result that the demo uses.
type toolResult struct {
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

// play does what an agent would do: it creates a run, and calls get_run until the
// run has ended or needs a person.
func (d *demo) play(ctx context.Context) error {
	d.client.OnNotification(func(n mcp.JSONRPCNotification) {
		if message, ok := n.Params.AdditionalFields["message"].(string); ok {
			d.printLine(blue, "event", message)
		}
	})
	hello, err := d.client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: mcp.LATEST_LEGACY_PROTOCOL_VERSION, ClientInfo: mcp.Implementation{Name: "demo", Version: "1"},
	}})
	if err != nil {
		return err
	}
	d.printLine(dim, "agent", fmt.Sprintf("connected to %s %s, MCP %s", hello.ServerInfo.Name, hello.ServerInfo.Version, hello.ProtocolVersion))
	const intent = "Find overdue invoices and remind the account owners"
	d.printLine(bold, "agent", fmt.Sprintf("create_run %q, approvalStrategy ON_TOOL_CALL", intent))
	st, err := d.callTool(ctx, "create_run", map[string]any{"intent": intent, "context": "sandbox: steps=3", "approvalStrategy": "ON_TOOL_CALL"})
	if err != nil {
		return err
	}
	d.printLine(plain, "server", "run "+st.RunID+". "+st.Summary)
	for i, step := range st.Plan.Steps {
		d.printLine(dim, "plan", fmt.Sprintf("%d. %s", i+1, step.Description))
	}
	for !st.Finished {
		d.printLine(bold, "agent", fmt.Sprintf("get_run afterEventId %d, waitSeconds 45", st.LastEventID))
		if st, err = d.callTool(ctx, "get_run", map[string]any{"runId": st.RunID, "afterEventId": st.LastEventID, "waitSeconds": 45}); err != nil {
			return err
		}
		if st.WaitEnded == "needs_person" {
			d.printLine(plain, "server", st.Summary)
			d.printNote("Nobody decided, so the run waits on and the demo ends here. Nothing was sent.")
			return nil
		}
	}
	d.printLine(green, "server", st.Summary)
	if result, err := json.MarshalIndent(st.Result, "  ", "  "); err == nil && st.Result != nil {
		fmt.Fprintf(d.out, "\n  %s %s\n\n", d.styled(bold, "result"), result)
	}
	d.printNote(fmt.Sprintf("Done in %.1f s and %d tool calls. A person decided; the approval links never left the server.", time.Since(d.start).Seconds(), d.calls))
	return nil
}

func (d *demo) callTool(ctx context.Context, tool string, args map[string]any) (toolResult, error) {
	d.calls++
	req := mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool, Arguments: args, Meta: &mcp.Meta{ProgressToken: tool + fmt.Sprint(d.calls)}}}
	result, err := d.client.CallTool(ctx, req)
	if err != nil {
		return toolResult{}, err
	}
	if len(result.Content) == 0 {
		return toolResult{}, errors.New(tool + " answered nothing")
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok || result.IsError {
		return toolResult{}, fmt.Errorf("%s failed: %v", tool, result.Content[0])
	}
	var st toolResult
	return st, json.Unmarshal([]byte(text.Text), &st)
}

func (d *demo) printTitle(text string) { fmt.Fprintf(d.out, "\n%s\n", d.styled(bold, text)) }

func (d *demo) printNote(text string) { fmt.Fprintf(d.out, "%s\n\n", d.styled(dim, text)) }

// printLine prints who said or did something, and when since the start.
func (d *demo) printLine(s style, who, text string) {
	at := fmt.Sprintf("%5.1fs", time.Since(d.start).Seconds())
	text = fmt.Sprintf("%-6s %s", who, strings.ReplaceAll(text, "\n", " "))
	fmt.Fprintf(d.out, "%s  %s\n", d.styled(dim, at), d.styled(s, text))
}
