package tools

import (
	"fmt"
	"strings"
)

// The API's limits on outputSchema.
const (
	maxSchemaDepth = 10
	maxSchemaNodes = 200
)

// checkOutputSchema refuses what the API would refuse, in words that name the
// place: a root that is no object, combinators, references out of the schema,
// and too much of it.
func checkOutputSchema(schema map[string]any) error {
	if schema["type"] != "object" {
		return invalid("outputSchema", `must have "type": "object" at its root`)
	}
	nodes := 0
	return checkSchemaNode(schema, "outputSchema", 1, &nodes)
}

func checkSchemaNode(node map[string]any, at string, depth int, nodes *int) error {
	*nodes++
	switch {
	case depth > maxSchemaDepth:
		return invalid("outputSchema", fmt.Sprintf("is deeper than %d levels", maxSchemaDepth))
	case *nodes > maxSchemaNodes:
		return invalid("outputSchema", fmt.Sprintf("has more than %d schemas in it", maxSchemaNodes))
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		if _, ok := node[word]; ok {
			return invalid(at, "must not use "+word)
		}
	}
	if ref, ok := node["$ref"]; ok {
		if s, isString := ref.(string); !isString || !strings.HasPrefix(s, "#/definitions/") {
			return invalid(at, "may only refer into #/definitions/")
		}
	}
	for _, word := range []string{"properties", "definitions", "patternProperties"} {
		members, _ := node[word].(map[string]any)
		for name, member := range members {
			if err := checkSchemaMember(member, at+"."+word+"."+shortName(name), depth, nodes); err != nil {
				return err
			}
		}
	}
	for _, word := range []string{"items", "additionalProperties", "not"} {
		if err := checkSchemaMember(node[word], at+"."+word, depth, nodes); err != nil {
			return err
		}
	}
	return nil
}

func checkSchemaMember(member any, at string, depth int, nodes *int) error {
	switch member := member.(type) {
	case map[string]any:
		return checkSchemaNode(member, at, depth+1, nodes)
	case []any: // items as a tuple
		for _, m := range member {
			if err := checkSchemaMember(m, at, depth, nodes); err != nil {
				return err
			}
		}
	}
	return nil
}
