// Package toolschema makes JSON Schemas of Go types for the tools of an MCP
// server, and checks and decodes what models send as arguments. It knows nothing
// of what the tools do.
package toolschema

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// inputSchema returns the JSON Schema that arguments of type A are checked against, as
// compact JSON.
func inputSchema[A any]() json.RawMessage { return marshal(reflectSchema[A]()) }

// Published returns the schema that tools/list shows for arguments of type A. Some
// clients hand it to a model API that takes only a subset of JSON Schema, so it is
// simpler than that of [inputSchema].
func Published[A any]() json.RawMessage {
	schema := reflectSchema[A]()
	simplify(schema)
	return marshal(schema)
}

// simplify makes a schema one that every model API takes: without formats, and
// with a text that holds JSON in the place of an object of any content. [Arguments]
// accepts both the text and the object. It also removes what some clients would
// refuse themselves, in words of their own (Gemini CLI 0.61): unknown names, and
// values that stand for "not set".
func simplify(s *jsonschema.Schema) {
	s.Format, s.AdditionalProperties, s.MinItems, s.MinLength, s.Minimum = "", nil, nil, nil, ""
	if s.Type == "object" && s.Properties.Len() == 0 {
		*s = jsonschema.Schema{Type: "string", Description: strings.TrimSuffix(s.Description, ".") + ", as JSON text."}
	}
	if s.Items != nil {
		simplify(s.Items)
	}
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		simplify(p.Value)
	}
}

// Output returns the JSON Schema of results of type R: the required fields and all
// objects and arrays, one level deep. That is a seventh of the whole schema's size.
// It allows other fields, so that a result may grow.
func Output[R any]() json.RawMessage {
	schema := reflectSchema[R]()
	schema.AdditionalProperties = nil
	for p := schema.Properties.Oldest(); p != nil; {
		name, property := p.Key, p.Value
		p = p.Next() // before the property may be deleted
		if property.Type == "object" || property.Type == "array" || slices.Contains(schema.Required, name) {
			schema.Properties.Set(name, typeOnly(property))
		} else {
			schema.Properties.Delete(name)
		}
	}
	return marshal(schema)
}

// typeOnly returns the type of a schema, and of its items if it is an array.
func typeOnly(s *jsonschema.Schema) *jsonschema.Schema {
	out := &jsonschema.Schema{Type: s.Type}
	if s.Items != nil {
		out.Items = typeOnly(s.Items)
	}
	return out
}

// reflectSchema returns the schema of a type, with everything in place of
// references.
func reflectSchema[T any]() *jsonschema.Schema {
	reflector := jsonschema.Reflector{ExpandedStruct: true, DoNotReference: true, Anonymous: true}
	schema := reflector.ReflectFromType(reflect.TypeFor[T]())
	schema.Version = "" // clients assume different drafts; our schemas use what all drafts share
	return schema
}

func marshal(schema *jsonschema.Schema) json.RawMessage {
	data, err := json.Marshal(schema)
	if err != nil {
		panic(err) // the type is ours
	}
	return data
}
