package tools

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// forgive turns arguments that can mean one thing only into that: a run's URI
// or upper-case id where its id is asked for, an enum in another case, a number or
// boolean as a string, one string where an array is asked for, JSON as text,
// null for what is left out. What it cannot read it leaves for the schema to
// refuse.
func forgive(schema *validator.Schema, fields map[string]any) {
	for name, value := range fields {
		property := schema.Properties[name]
		switch {
		case property == nil:
		case value == nil && !slices.Contains(schema.Required, name):
			delete(fields, name)
		case name == "runId":
			fields[name] = forgiveRunID(value)
		default:
			fields[name] = forgiveValue(property, value)
		}
	}
}

// forgiveRunID takes the id out of a run's address and writes it in lower case,
// so that one run has one feed and one set of approval ids. That of its
// result or plan stays, to be refused: what was asked for is another thing.
func forgiveRunID(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	text = strings.ToLower(strings.TrimSpace(text))
	if rest, isAddress := strings.CutPrefix(text, "run://"); isAddress && !strings.Contains(rest, "/result") && !strings.Contains(rest, "/plan") {
		text, _, _ = strings.Cut(rest, "/")
	}
	return text
}

func forgiveValue(schema *validator.Schema, value any) any {
	switch value := value.(type) {
	case json.Number:
		// Whole numbers in digits alone, for 5.0 and 1e1 are integers too.
		if n, ok := new(big.Rat).SetString(value.String()); ok && n.IsInt() && n.Num().IsInt64() && asks(schema, "integer") {
			return json.Number(n.Num().String())
		}
	case []any:
		if items := itemsOf(schema); items != nil {
			for i := range value {
				value[i] = forgiveValue(items, value[i])
			}
		}
	case string:
		return forgiveText(schema, value)
	}
	return value
}

func forgiveText(schema *validator.Schema, text string) any {
	trimmed := strings.TrimSpace(text)
	switch {
	case schema.Enum != nil:
		for _, one := range schema.Enum.Values {
			if known, ok := one.(string); ok && strings.EqualFold(known, trimmed) {
				return known
			}
		}
	case asks(schema, "integer"):
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return json.Number(strconv.FormatInt(n, 10))
		}
	case asks(schema, "boolean"):
		if yes, err := strconv.ParseBool(strings.ToLower(trimmed)); err == nil && len(trimmed) > 1 {
			return yes
		}
	case asks(schema, "object"), asks(schema, "array") && strings.HasPrefix(trimmed, "["):
		if parsed, err := validator.UnmarshalJSON(strings.NewReader(trimmed)); err == nil {
			return forgiveValue(schema, parsed)
		}
	case asks(schema, "array"):
		return []any{forgiveText(itemsOf(schema), text)}
	}
	return text
}

// asks reports whether a schema asks for a type.
func asks(schema *validator.Schema, name string) bool {
	return schema != nil && schema.Types != nil && slices.Contains(schema.Types.ToStrings(), name)
}

// itemsOf returns the schema of an array's items, nil where there is none.
func itemsOf(schema *validator.Schema) *validator.Schema {
	if schema == nil {
		return nil
	}
	if items, ok := schema.Items.(*validator.Schema); ok {
		return items
	}
	return schema.Items2020
}
