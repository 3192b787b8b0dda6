// Package prompts is what a person picks from a client's menu: texts that tell the
// model how to start and follow a run, review what waits for a person, or find out why
// a run failed. They are our own words: the person's arguments stand in them as quoted
// data, and nothing that a run said does.
package prompts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
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

// request is one request for a prompt.
type request struct {
	caller client.Caller
	view   view.View
	values map[string]string // by argument; empty ones are missing
	others string            // arguments that the prompt does not have, quoted
}

// offered returns the prompts whose tools are all offered.
func (h *handlers) offered() []prompt {
	return slices.DeleteFunc([]prompt{h.runAndWatch(), h.reviewApprovals(), h.diagnoseRun()}, func(p prompt) bool {
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

// newRequest returns the request with these arguments. Some clients send the fields
// that a person left empty: they do not count.
func (h *handlers) newRequest(p prompt, caller client.Caller, arguments map[string]string) request {
	r := request{caller: caller, view: view.New(h.Secrets.With(string(caller.Key))), values: map[string]string{}}
	var others []string
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		value := strings.TrimSpace(arguments[name])
		switch {
		case value == "":
		case slices.ContainsFunc(p.arguments, func(a argument) bool { return a.name == name }):
			r.values[name] = value
		case len(others) < maxOthers:
			others = append(others, r.quote(name, maxName)+": "+r.quote(value, maxOther))
		}
	}
	r.others = strings.Join(others, ", ")
	return r
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

// quote shows what a person or a client sent as data, in at most so many characters.
func (r request) quote(value string, most int) string {
	shown := r.view.Text(value, utf8.UTFMax*most) // redacted before the cut: half a secret would not be found
	if utf8.RuneCountInString(shown) > most {
		shown = string([]rune(shown)[:most-utf8.RuneCountInString(cutMark)]) + cutMark
	}
	return fmt.Sprintf("%q", shown)
}

// invalid is an error that becomes the protocol's "invalid params".
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{mcp.ErrInvalidParams}, args...)...)
}
