package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

//go:embed cases.json
var casesFile []byte

// evalCase is one situation and what is right in it. $name in texts and
// arguments stands for a field of the latest result, $runs.0.runId for one
// further in.
type evalCase struct {
	Name  string   `json:"name"`
	Group string   `json:"group"`
	Flags []string `json:"flags"` // of the server, beside --sandbox
	Asks  bool     `json:"asks"`  // the client can ask its person, who then decides nothing
	Turns []turn   `json:"turns"`
	// Right are the calls any of which is right as the next and only one; none:
	// no tool must be called.
	Right []rightCall `json:"right"`
}

// turn is one thing that was said or done: a user's words, an assistant's, or
// a call.
type turn struct {
	User      string `json:"user"`
	Assistant string `json:"assistant"`

	Call      string         `json:"call"`
	Arguments map[string]any `json:"arguments"`
	Behaviour string         `json:"behaviour"` // what is asked of the sandbox; the model does not see it
	// Failure is the call's answer, for what no sandbox does; the call is not
	// made then.
	Failure string `json:"failure"`
}

// rightCall is a call that is right.
type rightCall struct {
	Tool      string            `json:"tool"`
	Arguments map[string]any    `json:"arguments"` // an example; these must be given
	Patterns  map[string]string `json:"patterns"`  // by argument: what its text must match, instead of being equal
	Without   []string          `json:"without"`   // must not be given
	Exact     bool              `json:"exact"`     // nothing beside Arguments may be given
}

// readCases returns the cases of a file whose name matches.
func readCases(file []byte, only *regexp.Regexp) ([]evalCase, error) {
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	var all, chosen []evalCase
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("cases.json: %w", err)
	}
	for _, c := range all {
		if only.MatchString(c.Name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no case has such a name")
	}
	return chosen, nil
}

var placeholder = regexp.MustCompile(`\$[a-zA-Z]+(\.\w+)*`)

// fill puts the fields of a result where placeholders name them. A string that
// is one placeholder and nothing else takes the field's type.
func fill(value, result any) (any, error) {
	switch v := value.(type) {
	case string:
		if placeholder.FindString(v) == v && v != "" {
			return field(result, v)
		}
		return fillText(v, result)
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			var err error
			if out[name], err = fill(inner, result); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			var err error
			if out[i], err = fill(inner, result); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return value, nil
}

// fillText puts fields into a text.
func fillText(text string, result any) (filled string, err error) {
	filled = placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value, failed := field(result, name)
		err = errors.Join(err, failed)
		return fmt.Sprint(value)
	})
	return filled, err
}

// field returns what a placeholder names.
func field(result any, name string) (any, error) {
	at := result
	for part := range strings.SplitSeq(strings.TrimPrefix(name, "$"), ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(v) {
				return nil, fmt.Errorf("the latest result has no %s", name)
			}
			at = v[i]
		default:
			at = nil
		}
		if at == nil {
			return nil, fmt.Errorf("the latest result has no %s", name)
		}
	}
	return at, nil
}
