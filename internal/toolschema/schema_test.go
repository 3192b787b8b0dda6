package toolschema

import (
	"encoding/json"
	"testing"
)

type input struct {
	ID    string         `json:"id" jsonschema:"format=uuid,minLength=1,maxLength=36" jsonschema_description:"Which."`
	Count int            `json:"count,omitempty" jsonschema:"minimum=1,maximum=9"`
	Names []string       `json:"names,omitempty" jsonschema:"minItems=1,maxItems=3"`
	Free  map[string]any `json:"free,omitempty" jsonschema_description:"Anything."`
	Inner []inner        `json:"inner,omitempty"`
}

type inner struct {
	Name string         `json:"name" jsonschema:"minLength=1"`
	Free map[string]any `json:"free,omitempty" jsonschema_description:"More."`
}

// TestInputSchema: arguments are checked against all that the type says.
func TestInputSchema(t *testing.T) {
	const want = `{"properties":{"id":{"type":"string","maxLength":36,"minLength":1,"format":"uuid","description":"Which."},` +
		`"count":{"type":"integer","maximum":9,"minimum":1},"names":{"items":{"type":"string"},"type":"array","maxItems":3,"minItems":1},` +
		`"free":{"type":"object","description":"Anything."},"inner":{"items":{"properties":{"name":{"type":"string","minLength":1},` +
		`"free":{"type":"object","description":"More."}},"additionalProperties":false,"type":"object","required":["name"]},"type":"array"}},` +
		`"additionalProperties":false,"type":"object","required":["id"]}`
	if got := string(inputSchema[input]()); got != want {
		t.Errorf("got %s", got)
	}
}

// TestPublished: clients and model APIs are shown less, at every depth.
func TestPublished(t *testing.T) {
	const want = `{"properties":{"id":{"type":"string","maxLength":36,"description":"Which."},"count":{"type":"integer","maximum":9},` +
		`"names":{"items":{"type":"string"},"type":"array","maxItems":3},"free":{"type":"string","description":"Anything, as JSON text."},` +
		`"inner":{"items":{"properties":{"name":{"type":"string"},"free":{"type":"string","description":"More, as JSON text."}},"type":"object","required":["name"]},"type":"array"}},` +
		`"type":"object","required":["id"]}`
	if got := string(Published[input]()); got != want {
		t.Errorf("got %s", got)
	}
}

// TestOutput: a result's schema has its required fields, its objects and its arrays,
// and nothing within them.
func TestOutput(t *testing.T) {
	type result struct {
		Summary string    `json:"summary" jsonschema:"minLength=1" jsonschema_description:"In our words."`
		Hint    string    `json:"hint,omitempty"`
		Items   [][]inner `json:"items,omitempty"`
		Inner   *inner    `json:"inner,omitempty"`
		Last    int64     `json:"last"`
	}
	const want = `{"properties":{"summary":{"type":"string"},"items":{"items":{"items":{"type":"object"},"type":"array"},"type":"array"},` +
		`"inner":{"type":"object"},"last":{"type":"integer"}},"type":"object","required":["summary","last"]}`
	if got := string(Output[result]()); got != want {
		t.Errorf("got %s", got)
	}
}

// TestEmptyArguments: a tool without arguments takes an empty object.
func TestEmptyArguments(t *testing.T) {
	var none struct{}
	a := NewArguments[struct{}](Options{})
	if _, err := a.Decode(json.RawMessage(`{}`), &none); err != nil {
		t.Error(err)
	}
	if _, err := a.Decode(json.RawMessage(`{"x":1}`), &none); err == nil || err.Error() != "there is no argument x; the tool takes none" {
		t.Errorf("got %v", err)
	}
}
