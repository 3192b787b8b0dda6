// Package prompts is what a person picks from a client's menu: how to let a
// model start and follow a run, review what waits for a person, and find out
// why a run failed. A prompt is our own words; the person's arguments stand in
// them as quoted data, and nothing that a run said stands in them at all.
package prompts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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

// set is the prompts of one server.
type set struct{ Options }

// prompt is one prompt: text makes its text of checked arguments, of which
// those not given are missing.
type prompt struct {
	name, title, description string
	arguments                []argument
	tools                    []string // without which it makes no sense
	text                     func(caller client.Caller, given map[string]string) string
}

// argument is one argument of a prompt.
type argument struct {
	name, description string
	required          bool
	max               int                                                    // characters
	check             func(value string) error                               // nil takes any text
	complete          func(context.Context, string) (*mcp.Completion, error) // nil completes nothing
}

// all returns the prompts whose tools there are.
func (s *set) all() []prompt {
	return slices.DeleteFunc([]prompt{s.runAndWatch(), s.reviewApprovals(), s.diagnoseRun()}, func(p prompt) bool {
		return slices.ContainsFunc(p.tools, func(name string) bool { return !s.Offers(name) })
	})
}

// Register adds the prompts that the options allow to a server. What is wrong
// with arguments is [mcp.ErrInvalidParams], which the transport turns into the
// protocol's error.
func Register(srv *server.MCPServer, o Options) {
	s := &set{o}
	for _, p := range s.all() {
		shown := mcp.Prompt{Name: p.name, Title: p.title, Description: p.description}
		for _, a := range p.arguments {
			shown.Arguments = append(shown.Arguments, mcp.PromptArgument{Name: a.name, Description: a.description, Required: a.required})
		}
		srv.AddPrompt(shown, func(ctx context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			given, err := p.read(req.Params.Arguments)
			if err != nil {
				return nil, err
			}
			text := p.text(client.CallerFrom(ctx), given)
			return &mcp.GetPromptResult{
				Description: p.description,
				Messages:    []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(text)}},
			}, nil
		})
	}
}

// read checks the arguments and returns those that say anything: clients send
// fields that a person left empty.
func (p prompt) read(given map[string]string) (map[string]string, error) {
	for name := range given {
		if !slices.ContainsFunc(p.arguments, func(a argument) bool { return a.name == name }) {
			return nil, invalid("there is no argument %.40q; %s", name, p.names())
		}
	}
	out := map[string]string{}
	for _, a := range p.arguments {
		value := strings.TrimSpace(given[a.name])
		switch {
		case value == "" && a.required:
			return nil, invalid("%s is required: %s", a.name, a.description)
		case value == "":
			continue
		case utf8.RuneCountInString(value) > a.max:
			return nil, invalid("%s must have at most %d characters", a.name, a.max)
		}
		if a.check != nil {
			if err := a.check(value); err != nil {
				return nil, err
			}
		}
		out[a.name] = value
	}
	return out, nil
}

// names lists the arguments that there are.
func (p prompt) names() string {
	var names []string
	for _, a := range p.arguments {
		names = append(names, a.name)
	}
	return "there are " + strings.Join(names, ", ")
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{mcp.ErrInvalidParams}, args...)...)
}
