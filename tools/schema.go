package tools

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// inputSchema returns the JSON schema that a tool's arguments are checked
// against, as compact JSON.
func inputSchema[T any]() json.RawMessage { return written(schemaOf[T]()) }

// publishedSchema returns the schema that tools/list shows for the same
// arguments. Some clients hand it to a model API that takes only a subset of JSON
// Schema: see TestModelAPIs.
func publishedSchema[T any]() json.RawMessage {
	schema := schemaOf[T]()
	publish(schema)
	return written(schema)
}

// publish makes a schema one that every model API takes: without formats, and
// with text that holds JSON for an object of any content. What is checked takes
// such text for the object, and the object itself. It also takes out what a client
// would refuse for us, in words of its own (Gemini CLI 0.61 checks arguments):
// unknown names and values that stand for "not set".
func publish(s *jsonschema.Schema) {
	s.Format, s.AdditionalProperties, s.MinItems, s.MinLength, s.Minimum = "", nil, nil, nil, ""
	if s.Type == "object" && s.Properties.Len() == 0 {
		*s = jsonschema.Schema{Type: "string", Description: strings.TrimSuffix(s.Description, ".") + ", as JSON text."}
	}
	if s.Items != nil {
		publish(s.Items)
	}
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		publish(p.Value)
	}
}

// outputSchema returns the JSON schema of a tool's result, at a seventh of the
// size of the whole: the fields that are always there, and the objects and
// arrays, one level deep. It allows others, so that a result may grow.
func outputSchema[T any]() json.RawMessage {
	schema := schemaOf[T]()
	schema.AdditionalProperties = nil
	for p := schema.Properties.Oldest(); p != nil; {
		name, property := p.Key, p.Value
		p = p.Next()
		switch {
		case property.Type == "object" || property.Type == "array":
			schema.Properties.Set(name, shallow(property))
		case slices.Contains(schema.Required, name):
			schema.Properties.Set(name, &jsonschema.Schema{Type: property.Type})
		default:
			schema.Properties.Delete(name)
		}
	}
	return written(schema)
}

// shallow is a schema without what its objects hold.
func shallow(s *jsonschema.Schema) *jsonschema.Schema {
	if s.Items != nil {
		return &jsonschema.Schema{Type: s.Type, Items: shallow(s.Items)}
	}
	return &jsonschema.Schema{Type: s.Type}
}

func schemaOf[T any]() *jsonschema.Schema {
	reflector := jsonschema.Reflector{ExpandedStruct: true, DoNotReference: true, Anonymous: true}
	schema := reflector.ReflectFromType(reflect.TypeFor[T]())
	schema.Version = "" // clients assume a draft of their own; ours uses what all share
	return schema
}

func written(schema *jsonschema.Schema) json.RawMessage {
	data, err := json.Marshal(schema)
	if err != nil {
		panic(err) // the type is ours
	}
	return data
}
