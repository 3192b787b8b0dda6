package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// verdict is what a model did in a case, and whether it was right.
type verdict struct {
	tool      bool   // it called a right tool, or rightly none
	arguments bool   // and with right arguments
	did       string // the call it made, in short
	why       string // what is wrong; empty where nothing is
}

// judge compares what the model did with what is right.
func (s *situation) judge(made []called) verdict {
	v := verdict{did: inShort(made)}
	switch {
	case len(made) == 0 && len(s.right) == 0:
		v.tool, v.arguments = true, true
		return v
	case len(made) == 0:
		v.why = "no call, want " + s.right[0].Tool
		return v
	case len(s.right) == 0:
		v.why = "no tool must be called"
		return v
	case len(made) > 1:
		v.why = fmt.Sprintf("%d calls at once, want one", len(made))
		return v
	}
	v.why = "want " + s.right[0].Tool
	var arguments map[string]any
	readErr := json.Unmarshal([]byte(made[0].Arguments), &arguments)
	for _, right := range s.right {
		if right.Tool != made[0].Name {
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
	if err := s.check(made[0].Name, arguments); v.arguments && err != nil {
		v.arguments, v.why = false, "the server would refuse it: "+strings.Join(strings.Fields(err.Error()), " ")
	}
	return v
}

// differs says in what arguments are not right; nothing if they are.
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

// matches reports whether a value's text, or its JSON where it is none,
// matches a pattern.
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

// inShort renders calls for a line of a terminal.
func inShort(made []called) string {
	if len(made) == 0 {
		return "no call"
	}
	const most = 120 // characters
	return fmt.Sprintf("%.40q %.*q", made[0].Name, most, made[0].Arguments)
}
