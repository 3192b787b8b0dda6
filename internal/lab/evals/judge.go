package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// verdict says what a model did in a case, and whether it was right.
type verdict struct {
	tool      bool   // it called a right tool, or none where none is right
	arguments bool   // the arguments are right, too
	did       string // the call it calls, in short
	why       string // what is wrong; empty if nothing is
}

// judgeCalls compares the calls of the model with the right ones.
func (s *situation) judgeCalls(calls []functionCall) verdict {
	v := verdict{did: shorten(calls)}
	switch {
	case len(calls) == 0 && len(s.right) == 0:
		v.tool, v.arguments = true, true
		return v
	case len(calls) == 0:
		v.why = "no call, want " + s.right[0].Tool
		return v
	case len(s.right) == 0:
		v.why = "no tool must be called"
		return v
	case len(calls) > 1:
		v.why = fmt.Sprintf("%d calls at once, want one", len(calls))
		return v
	}
	v.why = "want " + s.right[0].Tool
	var arguments map[string]any
	readErr := json.Unmarshal([]byte(calls[0].Arguments), &arguments)
	for _, right := range s.right {
		if right.Tool != calls[0].Name {
			continue
		}
		v.tool = true
		switch why := right.differs(arguments); {
		case readErr != nil:
			v.why = "the arguments are no JSON object"
		case why != "":
			v.why = why
		default:
			v.why, v.arguments = "", true
		}
		if v.arguments {
			break
		}
	}
	if err := s.checkCall(calls[0].Name, arguments); v.arguments && err != nil {
		v.arguments, v.why = false, "the server would refuse it: "+strings.Join(strings.Fields(err.Error()), " ")
	}
	return v
}

// differs says what is wrong with the arguments, or "".
func (r rightCall) differs(given map[string]any) string {
	for name, want := range r.Arguments {
		got, ok := given[name]
		switch pattern, has := r.Patterns[name]; {
		case !ok:
			return name + " is missing"
		case has && !matches(pattern, got):
			return fmt.Sprintf("%s does not match %s", name, pattern)
		case !has && !reflect.DeepEqual(got, want):
			return fmt.Sprintf("%s is not %v", name, want)
		}
	}
	for name := range given {
		if _, wanted := r.Arguments[name]; r.Exact && !wanted || slices.Contains(r.Without, name) {
			return name + " must not be given"
		}
	}
	return ""
}

// matches reports whether a string, or the JSON of another value, matches a pattern.
func matches(pattern string, value any) bool {
	text, ok := value.(string)
	if !ok {
		data, err := json.Marshal(value)
		if err != nil {
			return false
		}
		text = string(data)
	}
	return regexp.MustCompile(pattern).MatchString(text)
}

// shorten renders calls for a line of a terminal.
func shorten(calls []functionCall) string {
	if len(calls) == 0 {
		return "no call"
	}
	const most = 120 // characters
	return fmt.Sprintf("%.40q %.*q", calls[0].Name, most, calls[0].Arguments)
}
