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

// evalCase is one situation and the right calls in it. In texts and arguments, $name
// stands for a field of the latest result, and $runs.0.runId for a nested one.
type evalCase struct {
	Name  string   `json:"name"`
	Group string   `json:"group"`
	Flags []string `json:"flags"` // of the server, besides --sandbox
	Asks  bool     `json:"asks"`  // the client has elicitation; the person cancels
	Turns []turn   `json:"turns"`
	// Right are the right calls; the model must make one of them, and no other. If
	// empty, the model must make no call.
	Right []rightCall `json:"right"`
}

// turn is a text of the user, a text of the assistant, or a call.
type turn struct {
	User      string `json:"user"`
	Assistant string `json:"assistant"`

	Call      string         `json:"call"`
	Arguments map[string]any `json:"arguments"`
	Behaviour string         `json:"behaviour"` // options for the sandbox; the model does not see them
	// Failure is an answer that the sandbox cannot give. The call is not made then.
	Failure string `json:"failure"`
}

// rightCall describes a right call.
type rightCall struct {
	Tool      string            `json:"tool"`
	Arguments map[string]any    `json:"arguments"` // must be given with these values
	Patterns  map[string]string `json:"patterns"`  // arguments that must match a pattern instead
	Without   []string          `json:"without"`   // must not be given
	Exact     bool              `json:"exact"`     // no other arguments may be given
}

// readCases returns the cases of a file whose names match.
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

// fill replaces the placeholders in a value by fields of the result. A string that is
// only a placeholder becomes a value of the field's type.
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

// fillText replaces the placeholders in a text.
func fillText(text string, result any) (filled string, err error) {
	filled = placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value, failed := field(result, name)
		err = errors.Join(err, failed)
		return fmt.Sprint(value)
	})
	return filled, err
}

// field returns the field of a result that a placeholder names.
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
