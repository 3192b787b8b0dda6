package sandbox

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxExampleValues bounds the memory of one example. A short schema can ask for
// an array of millions.
const maxExampleValues = 20_000

// exampleValue returns a value that conforms to the schema, the same one for the
// same schema. It reads $ref, const, enum, type, properties, required, items,
// format and the bounds of numbers, lengths and items. Then it validates the
// value, and reports false if the schema asks for more than that.
func exampleValue(s *jsonschema.Schema) (any, bool) {
	e := exampleBuilder{open: map[*jsonschema.Schema]bool{}}
	value := e.build(s, 0)
	return value, e.values <= maxExampleValues && s.Validate(value) == nil
}

// exampleBuilder builds one example from the root of its schema down.
type exampleBuilder struct {
	open   map[*jsonschema.Schema]bool // schemas that are being built
	values int                         // built so far
}

// build returns a value for s, or nil if that would need itself or exceed
// maxExampleValues. The number n tells the items of an array apart.
func (e *exampleBuilder) build(s *jsonschema.Schema, n int) any {
	if e.values++; e.values > maxExampleValues || e.open[s] {
		return nil
	}
	e.open[s] = true
	defer delete(e.open, s)
	switch {
	case s.Ref != nil:
		return e.build(s.Ref, n)
	case s.Const != nil:
		return *s.Const
	case s.Enum != nil && len(s.Enum.Values) > 0:
		return s.Enum.Values[n%len(s.Enum.Values)]
	}
	switch exampleType(s) {
	case "object":
		return e.buildObject(s)
	case "array":
		return e.buildArray(s)
	case "integer", "number":
		return exampleNumber(s, n)
	case "boolean":
		return n%2 == 0
	case "null":
		return nil
	default:
		return exampleString(s, n)
	}
}

// exampleType returns the first type that is named and not null. A schema without
// a type has the one that its other words belong to.
func exampleType(s *jsonschema.Schema) string {
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			if name != "null" {
				return name
			}
		}
		return "null"
	}
	switch {
	case s.Properties != nil || s.Required != nil:
		return "object"
	case s.Items != nil || s.MinItems != nil:
		return "array"
	case s.Minimum != nil || s.Maximum != nil:
		return "number"
	}
	return "string"
}

// buildObject returns an object with all properties, except the optional ones for
// which no value could be built.
func (e *exampleBuilder) buildObject(s *jsonschema.Schema) any {
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		value := e.build(s.Properties[name], 0)
		if slices.Contains(s.Required, name) || s.Properties[name].Validate(value) == nil {
			object[name] = value
		}
	}
	for _, name := range s.Required {
		if s.Properties[name] == nil {
			object[name] = "sandbox"
		}
	}
	return object
}

// buildArray returns an array of minItems items. If none are needed it has one,
// or none if no item could be built.
func (e *exampleBuilder) buildArray(s *jsonschema.Schema) any {
	array := []any{}
	item, ok := s.Items.(*jsonschema.Schema)
	if !ok || s.MaxItems != nil && *s.MaxItems == 0 {
		return array
	}
	if s.MinItems == nil || *s.MinItems == 0 {
		if value := e.build(item, 0); item.Validate(value) == nil {
			array = append(array, value)
		}
		return array
	}
	for n := range min(*s.MinItems, maxExampleValues) {
		array = append(array, e.build(item, n))
	}
	return array
}

// exampleNumber returns a number within the bounds. It counts up from the lower
// bound, or down from the upper one if that is the only one.
func exampleNumber(s *jsonschema.Schema, n int) float64 {
	offset := float64(n)
	switch {
	case s.Minimum != nil:
		low, _ := s.Minimum.Float64()
		return math.Ceil(low) + offset
	case s.ExclusiveMinimum != nil:
		low, _ := s.ExclusiveMinimum.Float64()
		return math.Floor(low) + 1 + offset
	case s.Maximum != nil:
		high, _ := s.Maximum.Float64()
		return math.Floor(high) - offset
	case s.ExclusiveMaximum != nil:
		high, _ := s.ExclusiveMaximum.Float64()
		return math.Ceil(high) - 1 - offset
	}
	return 1 + offset
}

// exampleString returns a string of the format and length.
func exampleString(s *jsonschema.Schema, n int) string {
	if s.Format != nil {
		if text := exampleFormat(s.Format.Name, n); text != "" {
			return text
		}
	}
	text := fmt.Sprintf("sandbox %d", n+1)
	if s.MinLength != nil {
		text += strings.Repeat("x", max(0, min(*s.MinLength, maxExampleValues)-len(text)))
	}
	if s.MaxLength != nil && len(text) > *s.MaxLength {
		text = text[len(text)-*s.MaxLength:] // the end tells the items of an array apart
	}
	return text
}

func exampleFormat(format string, n int) string {
	switch format {
	case "date-time":
		return fmt.Sprintf("2026-01-01T00:00:%02dZ", n%60)
	case "date":
		return fmt.Sprintf("2026-01-%02d", 1+n%28)
	case "time":
		return fmt.Sprintf("00:00:%02dZ", n%60)
	case "email":
		return fmt.Sprintf("sandbox%d@sandbox.invalid", n+1)
	case "hostname":
		return fmt.Sprintf("host%d.sandbox.invalid", n+1)
	case "uri", "uri-reference":
		return fmt.Sprintf("https://sandbox.invalid/%d", n+1)
	case "uuid":
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", n+1)
	case "ipv4":
		return fmt.Sprintf("192.0.2.%d", 1+n%254)
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", 1+n%65535)
	}
	return ""
}
