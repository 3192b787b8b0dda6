package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// schemaURL names an arguments schema to its compiler. It is absolute: a
// relative name would be resolved against the working directory, which may have
// been removed.
const schemaURL = "urn:arguments"

// arguments checks and reads the arguments of one tool.
type arguments[A any] struct {
	schema *validator.Schema
	// lenient ignores unknown arguments: those of a tool without effects. Else
	// one such as dryRun would be passed over and the tool act for real.
	lenient bool
}

func newArguments[A any](schema json.RawMessage, lenient bool) arguments[A] {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		panic(err) // the schema is ours
	}
	c := validator.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaURL, doc); err != nil {
		panic(err)
	}
	return arguments[A]{c.MustCompile(schemaURL), lenient}
}

// read returns the call's arguments and the names of those that were ignored, or
// a [problem] that says what is wrong.
func (a arguments[A]) read(req mcp.CallToolRequest) (args A, ignored []string, err error) {
	raw := req.Params.RawArguments
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return args, nil, invalid("arguments", "must be a JSON object")
	}
	if fields, ok := value.(map[string]any); ok {
		ignored = a.dropUnknown(fields)
		coerce(a.schema, fields)
	}
	if err := a.schema.Validate(value); err != nil {
		var v *validator.ValidationError
		if errors.As(err, &v) {
			return args, nil, &problem{code: codeInvalidArgument, message: strings.Join(a.complaints(v), "; "), nextStep: correctArguments}
		}
		return args, nil, err
	}
	valid, err := json.Marshal(value)
	if err != nil {
		return args, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(valid))
	d.UseNumber() // what the arguments nest stays as it came
	if err := d.Decode(&args); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return args, nil, invalid(wrong.Field, "is out of range")
		}
		return args, nil, invalid("arguments", "hold a value of the wrong type")
	}
	return args, ignored, nil
}

// clientArguments are what known clients add to every call, by where that was
// reported. They mean nothing to a tool and are ignored by all.
var clientArguments = map[string]string{
	"toolCallId":        "n8n: github.com/n8n-io/n8n/issues/21500",
	"sessionId":         "n8n: github.com/sansan0/TrendRadar/issues/768",
	"action":            "n8n: the same",
	"chatInput":         "n8n: the same",
	"tool":              "n8n: the same",
	"task_progress":     "Cline: github.com/cline/cline/issues/8256",
	"wait_for_previous": "Gemini CLI: github.com/google-gemini/gemini-cli/issues/27403",
}

// dropUnknown takes out what the tool does not have and may ignore: the
// arguments that clients add, and, if the tool is lenient, every other. It returns
// the names of the latter. What may be meant as one of ours stays, to be refused
// with the right name.
func (a arguments[A]) dropUnknown(fields map[string]any) (ignored []string) {
	for name := range fields {
		if a.schema.Properties[name] != nil {
			continue
		}
		if _, known := clientArguments[name]; known {
			delete(fields, name)
		} else if a.lenient && a.nearest(name) == "" {
			delete(fields, name)
			ignored = append(ignored, name)
		}
	}
	slices.Sort(ignored)
	return ignored
}

// maxComplaints bounds how much of what is wrong is said at once.
const maxComplaints = 4

// complaints says what is wrong with the arguments, one text a fault. They
// name arguments and what would be right, never a value: it may be secret.
func (a arguments[A]) complaints(v *validator.ValidationError) []string {
	var out []string
	for _, cause := range v.Causes {
		out = append(out, a.complaints(cause)...)
	}
	if len(v.Causes) == 0 {
		out = a.complaint(v)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxComplaints)]
}

func (a arguments[A]) complaint(v *validator.ValidationError) []string {
	at := path(v.InstanceLocation)
	within := func(name string) string { return path(append(slices.Clone(v.InstanceLocation), name)) }
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		return each(k.Missing, func(name string) string { return within(name) + " is required" })
	case *kind.AdditionalProperties:
		return each(k.Properties, func(name string) string {
			return "there is no argument " + within(shortName(name)) + a.hint(v.InstanceLocation, name)
		})
	case *kind.Type:
		if len(v.InstanceLocation) > 0 && k.Got == "string" && slices.Equal(k.Want, []string{"object"}) {
			return []string{at + " must be a JSON object, or a text that holds one; this text holds none"}
		}
		return []string{fmt.Sprintf("%s must be of type %s, not %s", at, strings.Join(k.Want, " or "), k.Got)}
	case *kind.Enum:
		return []string{fmt.Sprintf("%s must be one of %s", at, list(k.Want))}
	case *kind.Minimum:
		return []string{fmt.Sprintf("%s must be at least %s", at, number(k.Want))}
	case *kind.Maximum:
		return []string{fmt.Sprintf("%s must be at most %s", at, number(k.Want))}
	case *kind.MinLength:
		return []string{fmt.Sprintf("%s must have at least %d characters", at, k.Want)}
	case *kind.MaxLength:
		return []string{fmt.Sprintf("%s must have at most %d characters", at, k.Want)}
	case *kind.MinItems:
		return []string{fmt.Sprintf("%s must have at least %d items", at, k.Want)}
	case *kind.MaxItems:
		return []string{fmt.Sprintf("%s must have at most %d items", at, k.Want)}
	case *kind.Format:
		return []string{fmt.Sprintf("%s must be a %s such as 123e4567-e89b-12d3-a456-426614174000", at, strings.ToUpper(k.Want))}
	default:
		return []string{at + " is not as the tool's schema says"}
	}
}

func path(location []string) string {
	if len(location) == 0 {
		return "arguments"
	}
	return strings.Join(location, ".")
}

func each(names []string, say func(string) string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, say(n))
	}
	return out
}

// shortName keeps an invented argument name from being a text.
func shortName(name string) string {
	if len(name) > 40 {
		return strings.ToValidUTF8(name[:40], "") + "…"
	}
	return name
}

func list(values []any) string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, ", ")
}

func number(r *big.Rat) string { return strings.TrimSuffix(r.FloatString(2), ".00") }

// hint names the argument that an unknown one was meant to be, or all there
// are. It speaks of top-level arguments alone.
func (a arguments[A]) hint(location []string, name string) string {
	if len(location) > 0 {
		return ""
	}
	if near := a.nearest(name); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; there are " + strings.Join(a.names(), ", ")
}

// names returns the arguments there are, the required ones first.
func (a arguments[A]) names() []string {
	names := slices.Sorted(maps.Keys(a.schema.Properties))
	slices.SortStableFunc(names, func(x, y string) int {
		rank := func(name string) int { return slices.Index(a.schema.Required, name) + 1 }
		return -cmp.Compare(min(rank(x), 1), min(rank(y), 1))
	})
	return names
}

// nearest returns the argument that an unknown name may stand for: one whose
// words hold all of its words, or one that is a few letters away; "" for none.
func (a arguments[A]) nearest(name string) string {
	asked, names := wordsOf(shortName(name)), a.names()
	for _, known := range names {
		words := wordsOf(known)
		unknown := func(word string) bool { return !slices.Contains(words, word) }
		if len(asked) > 0 && !slices.ContainsFunc(asked, unknown) {
			return known
		}
	}
	closest := slices.MinFunc(names, func(x, y string) int {
		return cmp.Compare(distance(name, x), distance(name, y))
	})
	if distance(name, closest) <= len(closest)/3 {
		return closest
	}
	return ""
}

// wordsOf returns the words of a name in camel or snake case, without the s of a
// plural.
func wordsOf(name string) []string {
	words := nameWord.FindAllString(name, -1)
	for i, word := range words {
		words[i] = strings.TrimSuffix(strings.ToLower(word), "s")
	}
	return words
}

// nameWord is one word of a name.
var nameWord = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+|[0-9]+`)

// fold makes names comparable whatever their case and underscores.
func fold(name string) string { return strings.ReplaceAll(strings.ToLower(shortName(name)), "_", "") }

// distance counts the letters to change to make b of a (Levenshtein).
func distance(a, b string) int {
	a, b = fold(a), fold(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
