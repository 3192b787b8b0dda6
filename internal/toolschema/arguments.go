package toolschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL names an arguments schema to its compiler. It is absolute: a relative
// name would be resolved against the working directory, which may be gone.
const schemaURL = "urn:arguments"

// Options say how arguments are read.
type Options struct {
	// IgnoreUnknown leaves out unknown arguments instead of refusing them. It is for
	// tools without effects: a tool that ignores dryRun would act for real.
	IgnoreUnknown bool
	// Normalize returns the text that is checked in the place of an argument's text;
	// nil changes none.
	Normalize func(name, text string) string
}

// Arguments checks and decodes the arguments of one tool. It is safe for
// concurrent use.
type Arguments struct {
	Options
	schema *validator.Schema
}

// NewArguments returns the Arguments of a tool that takes a value of type A.
func NewArguments[A any](o Options) *Arguments {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(inputSchema[A]()))
	if err != nil {
		panic(err) // the schema is ours
	}
	c := validator.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaURL, doc); err != nil {
		panic(err) // the same
	}
	return &Arguments{o, c.MustCompile(schemaURL)}
}

// Decode decodes the arguments of one call into a pointer to the tool's type, and
// returns the names of unknown arguments that it ignored. What a model can only
// have meant in one way is corrected first. The error says what is wrong with which
// arguments, and never quotes a value: it may be secret.
func (a *Arguments) Decode(raw json.RawMessage, into any) (ignored []string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("arguments must be a JSON object")
	}
	if fields, ok := value.(map[string]any); ok {
		ignored = a.dropUnknown(fields)
		a.coerceFields(fields)
	}
	if err := a.schema.Validate(value); err != nil {
		return nil, a.complain(err)
	}
	valid, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(valid))
	d.UseNumber() // numbers in values of any type keep their digits
	if err := d.Decode(into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, errors.New(wrong.Field + " is out of range")
		}
		return nil, errors.New("arguments hold a value of the wrong type")
	}
	return ignored, nil
}

// dropUnknown deletes the arguments that clients add and, where the tool ignores
// unknown ones, all others that resemble no argument of the tool. It returns the
// names of the latter. What resembles an argument stays, to be refused with the
// right name.
func (a *Arguments) dropUnknown(fields map[string]any) (ignored []string) {
	for name := range fields {
		if a.schema.Properties[name] != nil {
			continue
		}
		if isClientArgument(name) {
			delete(fields, name)
		} else if a.IgnoreUnknown && a.nearest(name) == "" {
			delete(fields, name)
			ignored = append(ignored, shortName(name))
		}
	}
	slices.Sort(ignored)
	return ignored
}

// isClientArgument reports whether known clients add an argument of this name to
// every call. It means nothing to a tool.
func isClientArgument(name string) bool {
	switch name {
	case "toolCallId", // n8n: github.com/n8n-io/n8n/issues/21500
		"sessionId", "action", "chatInput", "tool", // n8n: github.com/sansan0/TrendRadar/issues/768
		"task_progress",     // Cline: github.com/cline/cline/issues/8256
		"wait_for_previous": // Gemini CLI: github.com/google-gemini/gemini-cli/issues/27403
		return true
	}
	return false
}
