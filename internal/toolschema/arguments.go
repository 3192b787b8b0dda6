package toolschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL names an arguments schema to its compiler. It is absolute: a relative
// name would be resolved against the working directory, which may be gone.
const schemaURL = "urn:arguments"

// Options say how arguments are read.
type Options struct {
	// IgnoreUnknown leaves out unknown arguments instead of refusing them. endpointOf
	// (tools/tools.go) sets it for read-only tools: a tool with effects that ignores
	// dryRun would act for real.
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

// dropUnknown deletes unknown arguments, or leaves them for the schema to refuse:
//
//	known clients add the name (isClientArgument)      deleted
//	IgnoreUnknown, and nearest finds no similar name   deleted, and returned in ignored
//	any other                                          stays: Decode refuses it
//
// A similar name stays even if IgnoreUnknown is set: the error then suggests the right
// one (complaints.go).
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

// coerceFields corrects arguments that can mean one thing only: an enum in another
// case, a number or boolean as text, one text where an array is wanted, JSON as
// text. What it cannot read it leaves for the schema to refuse. It deletes optional
// arguments that are not set.
func (a *Arguments) coerceFields(fields map[string]any) {
	for name, value := range fields {
		property := a.schema.Properties[name]
		if property == nil {
			continue
		}
		if text, ok := value.(string); ok && a.Normalize != nil {
			value = a.Normalize(name, text)
		}
		value = coerceValue(property, value)
		fields[name] = value
		if !slices.Contains(a.schema.Required, name) && isUnset(property, value) {
			delete(fields, name)
		}
	}
}

// coerceValue returns a value in the form that its schema wants; nil wants none.
func coerceValue(schema *validator.Schema, value any) any {
	if schema == nil {
		return value
	}
	switch value := value.(type) {
	case json.Number:
		return coerceNumber(schema, value)
	case string:
		return coerceText(schema, value)
	case []any:
		for i := range value {
			value[i] = coerceValue(itemsOf(schema), value[i])
		}
	case map[string]any:
		for name, inner := range value {
			value[name] = coerceValue(schema.Properties[name], inner)
		}
	}
	return value
}

// coerceNumber writes whole numbers with digits alone: 5.0 and 1e1 are integers to
// the schema, but not to encoding/json.
func coerceNumber(schema *validator.Schema, number json.Number) json.Number {
	n, ok := new(big.Rat).SetString(number.String())
	if ok && n.IsInt() && n.Num().IsInt64() && wants(schema, "integer") {
		return json.Number(n.Num().String())
	}
	return number
}

// coerceText returns a text in the form that its schema wants.
func coerceText(schema *validator.Schema, text string) any {
	trimmed := strings.TrimSpace(text)
	switch {
	case schema.Enum != nil:
		return coerceEnum(schema.Enum.Values, text)
	case wants(schema, "integer"):
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return json.Number(strconv.FormatInt(n, 10))
		}
	case wants(schema, "boolean"):
		// Not "1" and "0", nor "t" and "f".
		if yes, err := strconv.ParseBool(strings.ToLower(trimmed)); err == nil && len(trimmed) > 1 {
			return yes
		}
	case wants(schema, "object"), wants(schema, "array") && strings.HasPrefix(trimmed, "["):
		if parsed, err := validator.UnmarshalJSON(strings.NewReader(trimmed)); err == nil {
			return coerceValue(schema, parsed)
		}
	case wants(schema, "array"):
		return []any{coerceValue(itemsOf(schema), text)}
	}
	return text
}

// coerceEnum returns the value that a text spells in another case, else the text.
func coerceEnum(values []any, text string) string {
	for _, value := range values {
		if known, ok := value.(string); ok && strings.EqualFold(known, strings.TrimSpace(text)) {
			return known
		}
	}
	return text
}

// isUnset reports whether the value of an optional argument stands for "not set":
// null and blank text always; 0 and an empty array where the schema refuses them.
// Many models fill in every argument there is.
func isUnset(schema *validator.Schema, value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case json.Number:
		n, ok := new(big.Rat).SetString(v.String())
		return ok && n.Sign() == 0 && refuses(schema, value)
	case []any:
		isSet := func(item any) bool { return !isUnset(itemsOf(schema), item) }
		return !slices.ContainsFunc(v, isSet) && (len(v) > 0 || refuses(schema, value))
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// refuses reports whether a value does not conform to a schema; nil refuses none.
func refuses(schema *validator.Schema, value any) bool {
	return schema != nil && schema.Validate(value) != nil
}

// wants reports whether a schema allows a JSON type by its name.
func wants(schema *validator.Schema, jsonType string) bool {
	return schema.Types != nil && slices.Contains(schema.Types.ToStrings(), jsonType)
}

// itemsOf returns the schema of an array's items, nil where there is none.
func itemsOf(schema *validator.Schema) *validator.Schema {
	if schema == nil {
		return nil
	}
	return schema.Items2020
}
