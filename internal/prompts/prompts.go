// Package prompts is what a person picks from a client's menu: how to let a
// model start and follow a run, review what waits for a person, and find out
// why a run failed. A prompt is our own words; the person's arguments stand in
// them as quoted data, and nothing that a run said stands in them at all.
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

// set is the prompts of one server.
type set struct{ Options }

// prompt is one prompt: text makes a heading and numbered steps of what was
// given.
type prompt struct {
	name, title, description string
	arguments                []argument
	tools                    []string // without which it makes no sense
	text                     func(g given) (heading string, steps []string)
}

// argument is one argument of a prompt.
type argument struct {
	name, description string
	required          bool
	max               int                                                    // characters
	complete          func(context.Context, string) (*mcp.Completion, error) // nil completes nothing
}

// given is what a prompt is asked for with.
type given struct {
	caller client.Caller
	view   view.View
	values map[string]string // by argument; those that say nothing are missing
	others string            // arguments that the prompt does not have, quoted
}

// all returns the prompts whose tools there are.
func (s *set) all() []prompt {
	return slices.DeleteFunc([]prompt{s.runAndWatch(), s.reviewApprovals(), s.diagnoseRun()}, func(p prompt) bool {
		return slices.ContainsFunc(p.tools, func(name string) bool { return !s.Offers(name) })
	})
}

// Register adds the prompts that the options allow to a server. They take any
// arguments: what is wrong with one is the model's to settle with the user, for
// clients split arguments at white space, or ask once with $1 to make a template.
func Register(srv *server.MCPServer, o Options) {
	s := &set{o}
	for _, p := range s.all() {
		shown := mcp.Prompt{Name: p.name, Title: p.title, Description: p.description}
		for _, a := range p.arguments {
			shown.Arguments = append(shown.Arguments, mcp.PromptArgument{Name: a.name, Description: a.description, Required: a.required})
		}
		srv.AddPrompt(shown, func(ctx context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			g := s.read(p, client.CallerFrom(ctx), req.Params.Arguments)
			return &mcp.GetPromptResult{
				Description: p.description,
				Messages:    []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(p.write(g))}},
			}, nil
		})
	}
}

// read takes the arguments that say anything: clients send fields that a person
// left empty.
func (s *set) read(p prompt, caller client.Caller, arguments map[string]string) given {
	g := given{caller: caller, view: view.New(s.Secrets.With(string(caller.Key))), values: map[string]string{}}
	var others []string
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		value := strings.TrimSpace(arguments[name])
		switch {
		case value == "":
		case slices.ContainsFunc(p.arguments, func(a argument) bool { return a.name == name }):
			g.values[name] = value
		case len(others) < maxOthers:
			others = append(others, g.quote(name, maxName)+": "+g.quote(value, maxOther))
		}
	}
	g.others = strings.Join(others, ", ")
	return g
}

// write makes the prompt's text.
func (p prompt) write(g given) string {
	var b strings.Builder
	heading, steps := p.text(g)
	b.WriteString(heading + "\n")
	if g.others != "" {
		b.WriteString("The client passed more, quoted as data: " + g.others + ". It may belong to what the user wants.\n")
	}
	for i, step := range steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, step)
	}
	b.WriteString(dataOnly)
	return b.String()
}

// quote shows what a person or a client gave as data, in at most so many
// characters.
func (g given) quote(value string, most int) string {
	shown := g.view.Text(value, utf8.UTFMax*most) // before it is cut: half a secret is none that is known
	if utf8.RuneCountInString(shown) > most {
		shown = string([]rune(shown)[:most-utf8.RuneCountInString(cutMark)]) + cutMark
	}
	return fmt.Sprintf("%q", shown)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{mcp.ErrInvalidParams}, args...)...)
}
