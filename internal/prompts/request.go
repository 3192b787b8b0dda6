package prompts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// request is one request for a prompt.
type request struct {
	caller client.Caller
	view   view.View
	values map[string]string // by argument; empty ones are missing
	others string            // arguments that the prompt does not have, quoted
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

// quote shows what a person or a client sent as data, in at most so many characters.
func (r request) quote(value string, most int) string {
	shown := r.view.Text(value, utf8.UTFMax*most) // redacted before the cut: half a secret would not be found
	if utf8.RuneCountInString(shown) > most {
		shown = string([]rune(shown)[:most-utf8.RuneCountInString(cutMark)]) + cutMark
	}
	return fmt.Sprintf("%q", shown)
}
