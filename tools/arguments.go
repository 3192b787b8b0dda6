package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// arguments checks and reads the arguments of one tool.
type arguments[A any] struct {
	schema *validator.Schema
}

func newArguments[A any](schema json.RawMessage) arguments[A] {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		panic(err) // the schema is ours
	}
	c := validator.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("arguments", doc); err != nil {
		panic(err)
	}
	return arguments[A]{schema: c.MustCompile("arguments")}
}

// read returns the call's arguments, or a [problem] that names what is wrong.
func (a arguments[A]) read(req mcp.CallToolRequest) (args A, err error) {
	raw := req.Params.RawArguments
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return args, invalid("arguments", "must be a JSON object")
	}
	if fields, ok := value.(map[string]any); ok {
		forgive(a.schema, fields)
	}
	if err := a.schema.Validate(value); err != nil {
		var v *validator.ValidationError
		if errors.As(err, &v) {
			return args, &problem{code: codeInvalidArgument, message: strings.Join(a.complaints(v), "; "), nextStep: "Correct the arguments and call again."}
		}
		return args, err
	}
	valid, err := json.Marshal(value)
	if err != nil {
		return args, err
	}
	d := json.NewDecoder(bytes.NewReader(valid))
	d.UseNumber() // what the arguments nest stays as it came
	if err := d.Decode(&args); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return args, invalid(wrong.Field, "is out of range")
		}
		return args, invalid("arguments", "hold a value of the wrong type")
	}
	return args, nil
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
			return "there is no argument " + within(shortName(name)) + a.nearest(v.InstanceLocation, name)
		})
	case *kind.Type:
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

// nearest suggests the argument that an unknown one was meant to be, or lists
// those there are. It speaks of top-level arguments alone.
func (a arguments[A]) nearest(location []string, name string) string {
	if len(location) > 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(a.schema.Properties))
	slices.SortStableFunc(names, func(x, y string) int { // what is required is meant first
		rank := func(name string) int { return slices.Index(a.schema.Required, name) + 1 }
		return -cmp.Compare(min(rank(x), 1), min(rank(y), 1))
	})
	if len(names) == 0 {
		return "; this tool takes none"
	}
	stem := strings.TrimSuffix(fold(name), "s")
	for _, known := range names {
		if strings.HasPrefix(fold(known), stem) || strings.HasSuffix(fold(known), stem) || len(stem) > 5 && strings.Contains(fold(known), stem) {
			return "; did you mean " + known + "?"
		}
	}
	closest := slices.MinFunc(names, func(x, y string) int {
		return cmp.Compare(distance(name, x), distance(name, y))
	})
	if distance(name, closest) <= max(2, len(closest)/2) {
		return "; did you mean " + closest + "?"
	}
	return "; there are " + strings.Join(names, ", ")
}

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
