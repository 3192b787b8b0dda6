package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The documented limits of an outputSchema. The documentation does not say what
// a level or a node is. Here a level is a schema within a schema, and a node is
// any schema.
const (
	maxSchemaDepth = 10
	maxSchemaNodes = 200
)

// resultForSchema checks an outputSchema and returns an example value that conforms to
// it. The error is for the caller who sent the schema.
func resultForSchema(schema map[string]any) (any, error) {
	if schema["type"] != "object" {
		return nil, errors.New(`the root must have "type": "object"`)
	}
	rules := schemaRules{root: schema}
	if err := rules.check(schema, 1); err != nil {
		return nil, err
	}
	compiled, err := compileSchema(schema)
	if err != nil {
		return nil, err
	}
	value, ok := exampleValue(compiled)
	if !ok {
		return nil, errors.New("the sandbox cannot make up a value for this schema; use a simpler one")
	}
	return value, nil
}

func compileSchema(schema map[string]any) (*jsonschema.Schema, error) {
	const name = "sandbox:output"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(noLoader{})
	if err := c.AddResource(name, schema); err != nil {
		return nil, errors.New("not a JSON Schema")
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, errors.New("not a valid JSON Schema of draft 7")
	}
	return compiled, nil
}

// noLoader stops a caller's schema from reading files.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("no other document is read") }

// schemaRules checks the documented limits of one outputSchema.
type schemaRules struct {
	root  map[string]any
	nodes int
}

func (r *schemaRules) check(schema map[string]any, depth int) error {
	if r.nodes++; r.nodes > maxSchemaNodes {
		return fmt.Errorf("more than %d schema nodes", maxSchemaNodes)
	}
	if depth > maxSchemaDepth {
		return fmt.Errorf("nested deeper than %d levels", maxSchemaDepth)
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		if _, used := schema[word]; used {
			return fmt.Errorf("%s is not supported", word)
		}
	}
	if ref, used := schema["$ref"]; used {
		if err := r.checkRef(ref); err != nil {
			return err
		}
	}
	for _, sub := range subschemas(schema) {
		if err := r.check(sub, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *schemaRules) checkRef(ref any) error {
	text, _ := ref.(string)
	name, ok := strings.CutPrefix(text, "#/definitions/")
	if !ok {
		return errors.New("$ref must point into #/definitions/")
	}
	definitions, _ := r.root["definitions"].(map[string]any)
	if _, ok := definitions[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]; !ok {
		return errors.New("$ref points to a definition that does not exist")
	}
	return nil
}

// subschemas returns the schemas directly within a schema. It looks only where
// draft 7 puts a schema, because a property may be called "oneOf".
func subschemas(schema map[string]any) []map[string]any {
	var candidates []any
	for _, word := range []string{"additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"} {
		candidates = append(candidates, schema[word])
	}
	for _, word := range []string{"definitions", "dependencies", "patternProperties", "properties"} {
		named, _ := schema[word].(map[string]any)
		for _, candidate := range named {
			candidates = append(candidates, candidate)
		}
	}
	if tuple, ok := schema["items"].([]any); ok {
		candidates = append(candidates, tuple...)
	}
	var found []map[string]any
	for _, candidate := range candidates {
		if sub, ok := candidate.(map[string]any); ok {
			found = append(found, sub)
		}
	}
	return found
}
