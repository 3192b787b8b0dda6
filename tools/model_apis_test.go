package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// What model APIs take as a function's name and parameters:
//
//   - Gemini: message Schema of googleapis/googleapis,
//     google/ai/generativelanguage/v1beta/content.proto; another field is
//     answered 400. Names: FunctionDeclaration.name there, at most 63 characters.
//   - Vertex AI: message Schema of google/cloud/aiplatform/v1/openapi.proto.
//   - OpenAI, functions that are not strict: name is [a-zA-Z0-9_-]{1,64}
//     (FunctionObject of openai/openai-openapi); an object must have
//     properties, an array items.
//
// additionalProperties is in neither of Google's: their clients take it off.

// schemaFields are the fields that both of Google's schemas have, by the types
// they are for, and additionalProperties.
var schemaFields = map[string][]string{
	"object":  {"properties", "required", "additionalProperties"},
	"array":   {"items", "minItems", "maxItems"},
	"string":  {"enum", "minLength", "maxLength", "pattern"},
	"integer": {"minimum", "maximum"},
	"number":  {"minimum", "maximum"},
	"boolean": {},
}

var functionName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]{0,62}$`)

const (
	clientPrefix   = "mcp__runs__" // Claude Code's and Codex's for a server added as runs
	maxSchemaDepth = 5             // OpenAI's first bound for strict functions, the lowest one published
)

// lintFunction returns what a model API would refuse in a function.
func lintFunction(name string, parameters map[string]any) []string {
	var wrong []string
	if !functionName.MatchString(name) {
		wrong = append(wrong, "the name "+name)
	}
	if parameters["type"] != "object" {
		wrong = append(wrong, "the root is no object")
	}
	return append(wrong, lintSchema(name, parameters, 1)...)
}

func lintSchema(at string, schema map[string]any, depth int) (wrong []string) {
	find := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	kind, ok := schema["type"].(string)
	allowed, known := schemaFields[kind]
	if !ok || !known {
		find("the type %v", schema["type"])
	}
	for field := range schema {
		if field != "type" && field != "description" && !slices.Contains(allowed, field) {
			find("the field %s", field)
		}
	}
	if description, has := schema["description"]; has && description == "" {
		find("an empty description")
	}
	if depth > maxSchemaDepth {
		find("deeper than %d levels", maxSchemaDepth)
	}
	if enum, has := schema["enum"]; has {
		values, _ := enum.([]any)
		if len(values) == 0 || slices.ContainsFunc(values, func(v any) bool { s, ok := v.(string); return !ok || s == "" }) {
			find("the enum %v", enum)
		}
	}
	switch kind {
	case "array":
		items, ok := schema["items"].(map[string]any)
		if !ok {
			find("an array without items")
			break
		}
		wrong = append(wrong, lintSchema(at+"[]", items, depth+1)...)
	case "object":
		wrong = append(wrong, lintObject(at, schema, depth)...)
	}
	return wrong
}

func lintObject(at string, schema map[string]any, depth int) (wrong []string) {
	properties, _ := schema["properties"].(map[string]any)
	if len(properties) == 0 {
		wrong = append(wrong, at+": an object without properties")
	}
	if more, has := schema["additionalProperties"]; has && more != false {
		wrong = append(wrong, fmt.Sprintf("%s: additionalProperties %v", at, more))
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if s, ok := name.(string); !ok || properties[s] == nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v is required and not there", at, name))
		}
	}
	for name, property := range properties {
		p, ok := property.(map[string]any)
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s.%s: the schema %v", at, name, property))
			continue
		}
		wrong = append(wrong, lintSchema(at+"."+name, p, depth+1)...)
	}
	return wrong
}

// TestModelAPIs holds the live tools/list of every surface to what model APIs
// take: a client that hands on one wrong schema gets no answer at all.
func TestModelAPIs(t *testing.T) {
	for _, approvals := range []tools.Approvals{tools.ApprovalsHuman, tools.ApprovalsAgent, tools.ApprovalsOff} {
		for _, passThrough := range []bool{false, true} {
			for _, readOnly := range []bool{false, true} {
				s := testbed.New(t, func(o *tools.Options) {
					o.Approvals, o.AllowPassThrough, o.ReadOnly = approvals, passThrough, readOnly
				}, nil).Connect(testbed.Newest, nil)
				list, err := s.ListTools(t.Context(), nil)
				if err != nil || len(list.Tools) < 2 {
					t.Fatalf("%d tools, %v", len(list.Tools), err)
				}
				for _, tool := range list.Tools {
					for _, wrong := range lintFunction(clientPrefix+tool.Name, tool.InputSchema.(map[string]any)) {
						t.Errorf("approvals %s, pass-through %v, read-only %v: %s", approvals, passThrough, readOnly, wrong)
					}
				}
			}
		}
	}
}

// TestLint: the lint can fail.
func TestLint(t *testing.T) {
	type m = map[string]any
	object := func(property any) m { return m{"type": "object", "properties": m{"x": property}} }
	deep := m{"type": "string"}
	for range maxSchemaDepth {
		deep = object(deep)
	}
	for _, tt := range []struct {
		name   string
		schema m
		want   string // "" where nothing is wrong
	}{
		{"good", m{"type": "object", "properties": m{"x": m{"type": "string", "enum": []any{"A"}}}, "required": []any{"x"}, "additionalProperties": false}, ""},
		{"good", object(m{"type": "array", "items": m{"type": "string", "maxLength": 4}, "maxItems": 3, "description": "d"}), ""},
		{"a.b", object(m{"type": "boolean"}), "the name a.b"},
		{"1a", object(m{"type": "boolean"}), "the name 1a"},
		{strings.Repeat("a", 64), object(m{"type": "boolean"}), "the name aaa"},
		{"root", m{"type": "array", "items": m{"type": "string"}}, "the root is no object"},
		{"root", m{"type": "object"}, "root: an object without properties"},
		{"root", m{"type": "object", "properties": m{}}, "root: an object without properties"},
		{"root", m{"type": "object", "properties": m{"x": m{"type": "string"}}, "required": []any{"y"}}, "root: y is required and not there"},
		{"root", m{"type": "object", "properties": m{"x": m{"type": "string"}}, "oneOf": []any{}}, "root: the field oneOf"},
		{"root", m{"type": "object", "properties": m{"x": m{"type": "string"}}, "additionalProperties": m{"type": "string"}}, "root: additionalProperties map"},
		{"root", m{"type": "object", "properties": m{"x": m{"type": "string"}}, "additionalProperties": true}, "root: additionalProperties true"},
		{"root", m{"type": "object", "properties": m{"x": m{"type": "string"}}, "$schema": "x"}, "root: the field $schema"},
		{"p", object(true), "p.x: the schema true"},
		{"p", object(m{}), "p.x: the type <nil>"},
		{"p", object(m{"type": []any{"string", "null"}}), "p.x: the type [string null]"},
		{"p", object(m{"type": "null"}), "p.x: the type null"},
		{"p", object(m{"type": "string", "format": "uuid"}), "p.x: the field format"},
		{"p", object(m{"type": "string", "const": "a"}), "p.x: the field const"},
		{"p", object(m{"type": "string", "nullable": true}), "p.x: the field nullable"},
		{"p", object(m{"type": "string", "minimum": 1}), "p.x: the field minimum"},
		{"p", object(m{"type": "string", "description": ""}), "p.x: an empty description"},
		{"p", object(m{"$ref": "#/$defs/x"}), "p.x: the field $ref"},
		{"p", object(m{"anyOf": []any{m{"type": "string"}}}), "p.x: the field anyOf"},
		{"p", object(m{"type": "string", "enum": []any{"a", ""}}), "p.x: the enum [a ]"},
		{"p", object(m{"type": "string", "enum": []any{}}), "p.x: the enum []"},
		{"p", object(m{"type": "string", "enum": []any{1.0}}), "p.x: the enum [1]"},
		{"p", object(m{"type": "integer", "enum": []any{"1"}}), "p.x: the field enum"},
		{"p", object(m{"type": "array"}), "p.x: an array without items"},
		{"p", object(m{"type": "array", "items": []any{m{"type": "string"}}}), "p.x: an array without items"},
		{"p", object(m{"type": "array", "items": m{"type": "string", "format": "uuid"}}), "p.x[]: the field format"},
		{"p", object(m{"type": "object", "additionalProperties": m{"type": "string"}}), "p.x: an object without properties"},
		{"p", object(deep), "deeper than 5 levels"},
	} {
		got := lintFunction(tt.name, tt.schema)
		found := slices.ContainsFunc(got, func(wrong string) bool { return strings.Contains(wrong, tt.want) })
		if tt.want == "" && got != nil || tt.want != "" && !found {
			t.Errorf("%s %v: got %q, want %q", tt.name, tt.schema, got, tt.want)
		}
	}
}

// TestObjectsAndTheirText: where the schema asks for text that holds JSON, the
// object itself is taken too, and both reach the API alike.
func TestObjectsAndTheirText(t *testing.T) {
	eachRevision(t, func(t *testing.T, version string) {
		bodies := make(chan client.CreateRunRequest, 2)
		bed := testbed.New(t, func(o *tools.Options) { o.AllowPassThrough = true }, recordCreates(t, bodies))
		s := bed.Connect(version, nil)
		call := func(outputSchema, headers, query any) {
			testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
				"intent": "x", "outputSchema": outputSchema,
				"passThrough": []any{map[string]any{"customerIntegrationId": "slack_ijkl9012", "headers": headers, "query": query}},
			})
		}
		call(map[string]any{"type": "object", "maximum": 7}, map[string]any{"X-Team": "ops"}, map[string]any{"n": 1})
		call(`{"type":"object","maximum":7}`, `{"X-Team":"ops"}`, ` {"n": 1}`)
		object, text := string(compact(t, <-bodies)), string(compact(t, <-bodies))
		if object != text || !strings.Contains(object, `"maximum":7`) || !strings.Contains(object, `"X-Team":"ops"`) || !strings.Contains(object, `"n":1`) {
			t.Errorf("got %s and %s", object, text)
		}
	})
}

// recordCreates returns a front that sends on the bodies of creates.
func recordCreates(t *testing.T, bodies chan<- client.CreateRunRequest) func(http.Handler) http.Handler {
	return func(sandbox http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/v1/runs" {
				var body client.CreateRunRequest
				data, err := io.ReadAll(r.Body)
				if err == nil {
					err = json.Unmarshal(data, &body)
				}
				if err != nil {
					t.Error(err)
				}
				bodies <- body
				r.Body = io.NopCloser(bytes.NewReader(data))
			}
			sandbox.ServeHTTP(w, r)
		})
	}
}
