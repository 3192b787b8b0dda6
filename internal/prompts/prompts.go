// Package prompts is what a person picks from a client's menu: texts that tell the
// model how to start and follow a run, review what waits for a person, or find out why
// a run failed. They are our own words: the person's arguments stand in them as quoted
// data, and nothing that a run said does.
package prompts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
)

// Options are what the prompts work with: the tools there are, and what
// completes arguments.
type Options struct {
	tools.Options
	Complete *resources.Completer
}

// handlers are the prompts of one server.
type handlers struct{ Options }

// prompt is one prompt. Its text is a heading and numbered steps.
type prompt struct {
	name, title, description string
	when                     string // a skill's description says it after that
	arguments                []argument
	tools                    []string // that its steps need
	text                     func(r request) (heading string, steps []string)
}

// argument is one argument of a prompt.
type argument struct {
	name, description string
	required          bool
	max               int                                                    // characters
	complete          func(context.Context, string) (*mcp.Completion, error) // nil completes nothing
}

// Names returns the names of all prompts.
func Names() (names []string) {
	for _, p := range new(handlers).all() {
		names = append(names, p.name)
	}
	return names
}

// all is the list of the prompts.
func (h *handlers) all() []prompt {
	return []prompt{h.runAndWatch(), h.reviewApprovals(), h.diagnoseRun()}
}

// offered returns the prompts whose tools are all offered.
func (h *handlers) offered() []prompt {
	return slices.DeleteFunc(h.all(), func(p prompt) bool {
		return slices.ContainsFunc(p.tools, func(name string) bool { return !h.Offers(name) })
	})
}

// Register adds the prompts that the options allow to a server. They accept any
// arguments, and the model asks the user about wrong ones: some clients split
// arguments at white space, or send $1 once to make a template.
func Register(srv *server.MCPServer, o Options) {
	h := &handlers{o}
	for _, p := range h.offered() {
		shown := mcp.Prompt{Name: p.name, Title: p.title, Description: p.description}
		for _, a := range p.arguments {
			shown.Arguments = append(shown.Arguments, mcp.PromptArgument{Name: a.name, Description: a.description, Required: a.required})
		}
		srv.AddPrompt(shown, func(ctx context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			r := h.newRequest(p, client.CallerFrom(ctx), req.Params.Arguments)
			return &mcp.GetPromptResult{
				Description: p.description,
				Messages:    []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(p.buildText(r))}},
			}, nil
		})
	}
}

// buildText builds the text of a prompt.
func (p prompt) buildText(r request) string {
	var b strings.Builder
	heading, steps := p.text(r)
	b.WriteString(heading + "\n")
	if r.others != "" {
		b.WriteString("The client passed more, quoted as data: " + r.others + ". It may belong to what the user wants.\n")
	}
	for i, step := range steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, step)
	}
	b.WriteString(dataOnly)
	return b.String()
}

// Completions completes the arguments of the prompts.
func Completions(o Options) server.PromptCompletionProvider { return &handlers{o} }

// CompletePromptArgument implements [server.PromptCompletionProvider].
func (h *handlers) CompletePromptArgument(ctx context.Context, name string, typed mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	for _, p := range h.offered() {
		if p.name == name {
			return p.completeArgument(ctx, typed)
		}
	}
	return nil, invalid("there is no prompt %.40q", name)
}

// completeArgument returns the values that an argument may have which begins as
// typed.
func (p prompt) completeArgument(ctx context.Context, typed mcp.CompleteArgument) (*mcp.Completion, error) {
	for _, a := range p.arguments {
		if a.name == typed.Name && a.complete != nil && len(typed.Value) <= a.max {
			return a.complete(ctx, typed.Value)
		}
	}
	return &mcp.Completion{Values: []string{}}, nil
}

// invalid is an error that becomes the protocol's "invalid params".
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{mcp.ErrInvalidParams}, args...)...)
}
