package tools

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// coerce turns arguments that can mean one thing only into that: a run's URI
// or upper-case id where its id is asked for, an enum in another case, a number or
// boolean as a string, one string where an array is asked for, JSON as text. What
// it cannot read it leaves for the schema to refuse. An optional argument that
// is not set is left out, see [unset].
func coerce(schema *validator.Schema, fields map[string]any) {
	for name, value := range fields {
		property := schema.Properties[name]
		if property == nil {
			continue
		}
		if name == "runId" {
			value = coerceRunID(value)
		} else {
			value = coerceValue(property, value)
		}
		fields[name] = value
		if !slices.Contains(schema.Required, name) && unset(property, value) {
			delete(fields, name)
		}
	}
}

// unset reports whether the value of an optional argument stands for "not set":
// null and blank text always; 0 and what is empty where the schema refuses it.
// Many models fill in every argument there is.
func unset(schema *validator.Schema, value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case json.Number:
		n, ok := new(big.Rat).SetString(v.String())
		return ok && n.Sign() == 0 && schema != nil && schema.Validate(value) != nil
	case []any:
		blank := !slices.ContainsFunc(v, func(item any) bool { return !unset(itemsOf(schema), item) })
		return blank && (len(v) > 0 || schema != nil && schema.Validate(value) != nil)
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// coerceRunID takes the id out of a run's address and writes it in lower case,
// so that one run has one feed and one set of approval ids. That of its
// result or plan stays, to be refused: what was asked for is another thing.
func coerceRunID(value any) any {
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

func coerceValue(schema *validator.Schema, value any) any {
	switch value := value.(type) {
	case json.Number:
		// Whole numbers in digits alone, for 5.0 and 1e1 are integers too.
		if n, ok := new(big.Rat).SetString(value.String()); ok && n.IsInt() && n.Num().IsInt64() && asks(schema, "integer") {
			return json.Number(n.Num().String())
		}
	case map[string]any:
		for name, inner := range value {
			if property := schema.Properties[name]; property != nil {
				value[name] = coerceValue(property, inner)
			}
		}
	case []any:
		if items := itemsOf(schema); items != nil {
			for i := range value {
				value[i] = coerceValue(items, value[i])
			}
		}
	case string:
		return coerceText(schema, value)
	}
	return value
}

func coerceText(schema *validator.Schema, text string) any {
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
			return coerceValue(schema, parsed)
		}
	case asks(schema, "array"):
		return []any{coerceText(itemsOf(schema), text)}
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
