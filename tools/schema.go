package tools

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"
)

// inputSchema returns the JSON schema of a tool's arguments, as compact JSON.
func inputSchema[T any]() json.RawMessage { return written(schemaOf[T]()) }

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
