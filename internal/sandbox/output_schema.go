package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The documented limits of an outputSchema. What counts as a level or a node
// is not documented; here it is a schema within a schema, and every schema.
const (
	maxSchemaDepth = 10
	maxSchemaNodes = 200
)

// specimenFor checks an outputSchema by the documented rules and returns a
// value that conforms to it. The value is made up, and then validated: a
// schema the sandbox can't serve is refused when the run is created.
func specimenFor(schema map[string]any) (any, error) {
	if schema["type"] != "object" {
		return nil, errors.New(`the root must have "type": "object"`)
	}
	rules := schemaRules{root: schema}
	if err := rules.check(schema, 1); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(noLoader{})
	const name = "sandbox:output"
	if err := c.AddResource(name, schema); err != nil {
		return nil, errors.New("not a JSON Schema")
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, errors.New("not a valid JSON Schema of draft 7")
	}
	maker := specimen{root: schema}
	value, err := maker.make(schema, 0)
	if err != nil {
		return nil, err
	}
	if err := compiled.Validate(value); err != nil {
		return nil, errors.New("the sandbox cannot make up a value for this schema; a simpler one will do")
	}
	return value, nil
}

// noLoader keeps a caller's schema from making the sandbox read files.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("no other document is read") }

type schemaRules struct {
	root  map[string]any
	nodes int
}

func (c *schemaRules) check(schema map[string]any, depth int) error {
	if c.nodes++; c.nodes > maxSchemaNodes {
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
		if _, err := definition(c.root, ref); err != nil {
			return err
		}
	}
	for _, part := range parts(schema) {
		if err := c.check(part, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// parts are the schemas right within a schema. A property may be called
// "oneOf", so only the places where draft 7 puts a schema count.
func parts(schema map[string]any) []map[string]any {
	var found []map[string]any
	add := func(v any) {
		if s, ok := v.(map[string]any); ok {
			found = append(found, s)
		}
	}
	for _, word := range []string{"additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"} {
		add(schema[word])
	}
	for _, word := range []string{"definitions", "dependencies", "patternProperties", "properties"} {
		if named, ok := schema[word].(map[string]any); ok {
			for _, v := range named {
				add(v)
			}
		}
	}
	if tuple, ok := schema["items"].([]any); ok {
		for _, v := range tuple {
			add(v)
		}
	}
	return found
}

// definition resolves a $ref, which may point into #/definitions/ only.
func definition(root map[string]any, ref any) (any, error) {
	text, _ := ref.(string)
	name, ok := strings.CutPrefix(text, "#/definitions/")
	if !ok {
		return nil, errors.New("$ref must point into #/definitions/")
	}
	name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	named, _ := root["definitions"].(map[string]any)
	target, ok := named[name]
	if !ok {
		return nil, errors.New("$ref points to a definition that is not there")
	}
	return target, nil
}
