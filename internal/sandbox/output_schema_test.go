package sandbox_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"runs-mcp-server/internal/sandbox"
)

func parse(t testing.TB, text string) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

// TestResultConforms validates what a run says against the schema it was given.
func TestResultConforms(t *testing.T) {
	tests := map[string]string{
		"bare":     `{"type":"object"}`,
		"types":    `{"type":"object","required":["s","i"],"properties":{"s":{"type":"string"},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},"z":{"type":"null"},"u":{"type":["null","string"]},"any":{},"yes":true}}`,
		"words":    `{"type":"object","required":["e","c"],"properties":{"e":{"enum":["red","green"]},"c":{"const":{"a":[1]}}}}`,
		"numbers":  `{"type":"object","required":["a","b","c","d","e"],"properties":{"a":{"type":"integer","minimum":7},"b":{"type":"integer","exclusiveMinimum":2.5},"c":{"type":"integer","maximum":-3},"d":{"type":"number","minimum":0,"maximum":1},"e":{"type":"number","exclusiveMaximum":0}}}`,
		"strings":  `{"type":"object","required":["a","b"],"properties":{"a":{"type":"string","minLength":40},"b":{"type":"string","maxLength":3}}}`,
		"formats":  `{"type":"object","required":["a","b","c","d","e","f","g","h","i"],"properties":{"a":{"type":"string","format":"date-time"},"b":{"type":"string","format":"date"},"c":{"type":"string","format":"email"},"d":{"type":"string","format":"uri"},"e":{"type":"string","format":"uuid"},"f":{"type":"string","format":"ipv4"},"g":{"type":"string","format":"ipv6"},"h":{"type":"string","format":"hostname"},"i":{"type":"string","format":"time"}}}`,
		"arrays":   `{"type":"object","required":["a","b","c","d"],"properties":{"a":{"type":"array","items":{"type":"string"},"minItems":3,"uniqueItems":true},"b":{"type":"array","maxItems":0},"c":{"type":"array","uniqueItems":true,"minItems":3,"items":{"enum":[1,2,3]}},"d":{"type":"array","uniqueItems":true,"minItems":3,"items":{"type":"integer","minimum":5}}}}`,
		"free":     `{"type":"object","required":["free"]}`,
		"refs":     `{"type":"object","required":["who"],"properties":{"who":{"$ref":"#/definitions/person"}},"definitions":{"person":{"type":"object","required":["name","team"],"properties":{"name":{"type":"string"},"boss":{"$ref":"#/definitions/person"},"team":{"type":"array","items":{"$ref":"#/definitions/person"}}}}}}`,
		"circle":   `{"type":"object","properties":{"a":{"$ref":"#/definitions/a"}},"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}`,
		"lists":    `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/definitions/a"}},"definitions":{"a":{"type":"array","items":{"$ref":"#/definitions/a"}}}}`,
		"closed":   `{"type":"object","additionalProperties":false,"properties":{"oneOf":{"type":"string"},"never":false}}`,
		"unstated": `{"type":"object","required":["a","c"],"properties":{"a":{"required":["b"],"properties":{"b":{"minimum":3}}},"c":{"minItems":2,"items":{"type":"integer"}}}}`,
		"optional": `{"type":"object","properties":{"a":{"type":"string","pattern":"^[A-Z]{3}$"},"b":{"type":"integer","multipleOf":7}}}`,
	}
	f := start(t, sandbox.Options{})
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			c := jsonschema.NewCompiler()
			c.DefaultDraft(jsonschema.Draft7)
			c.AssertFormat()
			if err := c.AddResource("test:schema", parse(t, text)); err != nil {
				t.Fatal(err)
			}
			id := f.createID(with(body("steps=1"), object{"outputSchema": parse(t, text)}))
			f.all(id)
			result := f.read(id)["result"]
			if err := c.MustCompile("test:schema").Validate(result); err != nil {
				t.Errorf("%v: %v", result, err)
			}
		})
	}
}

func TestOutputSchemaRules(t *testing.T) {
	nested := func(levels int) string { // the root is one of them
		return strings.Repeat(`{"type":"object","properties":{"a":`, levels-1) + `{"type":"object"}` + strings.Repeat(`}}`, levels-1)
	}
	wide := func(nodes int) string {
		var properties []string
		for n := range nodes - 1 {
			properties = append(properties, fmt.Sprintf(`"p%d":{}`, n))
		}
		return `{"type":"object","properties":{` + strings.Join(properties, ",") + `}}`
	}
	tests := []struct{ name, schema, want string }{
		{"ten levels", nested(10), ""},
		{"eleven levels", nested(11), "deeper than 10"},
		{"200 nodes", wide(200), ""},
		{"201 nodes", wide(201), "more than 200"},
		{"no object", `[]`, "must be an object"},
		{"root has no type", `{}`, `the root must have`},
		{"root is an array", `{"type":"array"}`, `the root must have`},
		{"oneOf", `{"type":"object","properties":{"a":{"oneOf":[{}]}}}`, "oneOf is not supported"},
		{"anyOf", `{"type":"object","anyOf":[{}]}`, "anyOf is not supported"},
		{"allOf", `{"type":"object","definitions":{"a":{"allOf":[{}]}}}`, "allOf is not supported"},
		{"foreign ref", `{"type":"object","properties":{"a":{"$ref":"https://sandbox.invalid/x"}}}`, "must point into"},
		{"root ref", `{"type":"object","properties":{"a":{"$ref":"#"}}}`, "must point into"},
		{"lost ref", `{"type":"object","properties":{"a":{"$ref":"#/definitions/x"}}}`, "does not exist"},
		{"foreign draft", `{"type":"object","$schema":"file:///etc/hostname"}`, "not a valid JSON Schema"},
		{"no schema", `{"type":"object","properties":{"a":{"type":"strange"}}}`, "not a valid JSON Schema"},
		{"without end", `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/definitions/x"}}}}}`, "cannot make up"},
		{"too large", `{"type":"object","properties":{"a":{"type":"array","items":{},"minItems":9999999}},"required":["a"]}`, "cannot make up"},
		{"pattern", `{"type":"object","properties":{"a":{"type":"string","pattern":"^[A-Z]{3}$"}},"required":["a"]}`, "cannot make up"},
		{"contradiction", `{"type":"object","properties":{"a":{"type":"integer","minimum":3,"maximum":2}},"required":["a"]}`, "cannot make up"},
	}
	f := start(t, sandbox.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := f.call(f.free, "POST", "/v1/runs", with(body(""), object{"outputSchema": parse(t, tt.schema)}))
			if tt.want == "" && status != 201 || tt.want != "" && (status != 400 || !strings.Contains(fmt.Sprint(answer), tt.want)) {
				t.Errorf("%d %v, want %q", status, answer, tt.want)
			}
		})
	}
}
