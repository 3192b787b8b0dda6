package toolschema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// args has an argument of every kind.
type args struct {
	ID      string            `json:"id" jsonschema:"format=uuid"`
	Text    string            `json:"shortText,omitempty" jsonschema:"minLength=2,maxLength=5"`
	Choice  string            `json:"choice,omitempty" jsonschema:"enum=NONE,enum=ON_START"`
	Count   int               `json:"count,omitempty" jsonschema:"minimum=1,maximum=200"`
	After   *int64            `json:"afterEventId,omitempty" jsonschema:"minimum=0"`
	Flag    *bool             `json:"flag,omitempty"`
	Names   []string          `json:"names,omitempty" jsonschema:"minItems=1,maxItems=3"`
	Free    map[string]any    `json:"free,omitempty"`
	Headers []header          `json:"headers,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
}

type header struct {
	Name   string         `json:"name"`
	Values map[string]any `json:"values,omitempty"`
	Once   bool           `json:"once,omitempty"`
}

const (
	anID   = "123e4567-e89b-12d3-a456-426614174000"
	withID = `{"id":"` + anID + `",`
)

func decode(t *testing.T, raw string, o Options) (args, []string, error) {
	t.Helper()
	var got args
	ignored, err := NewArguments[args](o).Decode(json.RawMessage(raw), &got)
	return got, ignored, err
}

// TestCoerced: what can mean one thing only is taken for that.
func TestCoerced(t *testing.T) {
	yes, no, after := true, false, int64(7)
	for rest, want := range map[string]args{
		`"count":"5"}`:                   {Count: 5},
		`"count":" 5 "}`:                 {Count: 5},
		`"count":5.0}`:                   {Count: 5},
		`"count":1e1}`:                   {Count: 10},
		`"afterEventId":" 7 "}`:          {After: &after},
		`"flag":"True"}`:                 {Flag: &yes},
		`"flag":" false "}`:              {Flag: &no},
		`"choice":" on_start "}`:         {Choice: "ON_START"},
		`"names":"step"}`:                {Names: []string{"step"}},
		`"names":"[\"step\",\"end\"]"}`:  {Names: []string{"step", "end"}},
		`"free":"{\"a\":1}"}`:            {Free: map[string]any{"a": json.Number("1")}},
		`"free":{"a":9007199254740993}}`: {Free: map[string]any{"a": json.Number("9007199254740993")}},
		`"free":{"a":"5","b":[1.0]}}`:    {Free: map[string]any{"a": "5", "b": []any{json.Number("1.0")}}},
		`"headers":[{"name":"a","values":"{\"b\":2}","once":"true"}]}`: {Headers: []header{{Name: "a", Values: map[string]any{"b": json.Number("2")}, Once: true}}},
	} {
		want.ID = anID
		got, _, err := decode(t, withID+rest, Options{})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", rest, got, err)
		}
	}
}

// TestUnset: an optional argument is left out where its value stands for "not set".
func TestUnset(t *testing.T) {
	zero := int64(0)
	for rest, want := range map[string]args{
		`"count":0}`:                  {},
		`"count":"0"}`:                {},
		`"count":0.0}`:                {},
		`"count":null}`:               {},
		`"afterEventId":0}`:           {After: &zero}, // the schema takes 0
		`"afterEventId":null}`:        {},
		`"flag":""}`:                  {},
		`"shortText":"  "}`:           {},
		`"choice":""}`:                {},
		`"names":[]}`:                 {},
		`"names":"[]"}`:               {},
		`"names":["",null," "]}`:      {},
		`"names":null}`:               {},
		`"free":{}}`:                  {},
		`"free":" "}`:                 {},
		`"headers":[]}`:               {Headers: []header{}}, // the schema takes an empty array
		`"headers":[{}],"free":null}`: {},
	} {
		want.ID = anID
		got, _, err := decode(t, withID+rest, Options{})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", rest, got, err)
		}
	}
}

// TestRefused: the error names the argument and what would be right, and no value.
func TestRefused(t *testing.T) {
	for raw, want := range map[string]string{
		``:                                       "id is required",
		`null`:                                   "id is required",
		`{}`:                                     "id is required",
		`[]`:                                     "arguments must be of type object, not array",
		`"{}"`:                                   "arguments must be of type object, not string",
		`{"id":`:                                 "arguments must be a JSON object",
		`{"id":null}`:                            "id must be of type string, not null",
		`{"id":" "}`:                             "id must be a UUID such as 123e4567-e89b-12d3-a456-426614174000",
		`{"id":"17"}`:                            "id must be a UUID such as 123e4567-e89b-12d3-a456-426614174000",
		`{"id":["` + anID + `"]}`:                "id must be of type string, not array",
		withID + `"shortText":"x"}`:              "shortText must have at least 2 characters",
		withID + `"shortText":"secret"}`:         "shortText must have at most 5 characters",
		withID + `"choice":"secret"}`:            "choice must be one of NONE, ON_START",
		withID + `"count":"5.5"}`:                "count must be of type integer, not string",
		withID + `"count":5.5}`:                  "count must be of type integer, not number",
		withID + `"count":-1}`:                   "count must be at least 1",
		withID + `"count":201}`:                  "count must be at most 200",
		withID + `"count":99999999999999999999}`: "count must be at most 200",
		withID + `"afterEventId":99999999999999999999}`: "afterEventId is out of range",
		withID + `"flag":"1"}`:                          "flag must be of type boolean, not string",
		withID + `"flag":"t"}`:                          "flag must be of type boolean, not string",
		withID + `"flag":1}`:                            "flag must be of type boolean, not number",
		withID + `"names":"[step"}`:                     "names must be of type array, not string",
		withID + `"names":[5]}`:                         "names.0 must be of type string, not number",
		withID + `"names":"a","count":300}`:             "count must be at most 200",
		withID + `"names":["a","b","c","d"]}`:           "names must have at most 3 items",
		withID + `"free":"secret"}`:                     "free must be a JSON object, or a text that holds one; this text holds none",
		withID + `"headers":[{"once":true}]}`:           "headers.0.name is required",
		withID + `"headers":[{"name":"a","sort":1}]}`:   "there is no argument headers.0.sort",
		withID + `"labels":{"a":1}}`:                    "labels.a must be of type string, not number",
	} {
		_, _, err := decode(t, raw, Options{})
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", raw, err, want)
		}
	}
}

// TestComplaintsAreBounded: one error names at most four faults, each once, in
// alphabetical order.
func TestComplaintsAreBounded(t *testing.T) {
	_, _, err := decode(t, `{"shortText":"x","choice":"x","count":-1,"names":[1,2,3],"flag":5}`, Options{})
	want := "choice must be one of NONE, ON_START; count must be at least 1; flag must be of type boolean, not number; id is required"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestUnknown: an unknown argument is refused with the right name or with all there
// are, or ignored where the tool has no effects.
func TestUnknown(t *testing.T) {
	const all = "; there are id, afterEventId, choice, count, flag, free, headers, labels, names, shortText"
	for _, tt := range []struct {
		name, hint string
		ignored    bool // where unknown ones are
	}{
		{"dryRun", all, true},
		{"", all, true},
		{"_", all, true},
		{"text", "; did you mean shortText?", false},
		{"short_texts", "; did you mean shortText?", false},
		{"textOfSomething", all, true},
		{"event_id", "; did you mean afterEventId?", false},
		{"cuont", all, true}, // two letters of five
		{"kount", "; did you mean count?", false},
		{"countx", "; did you mean count?", false},
		{"coun", "; did you mean count?", false},
		{"COUNT", "; did you mean count?", false},
		{strings.Repeat("x", 40), all, true},
		{strings.Repeat("y", 41), all, true},
	} {
		raw, err := json.Marshal(map[string]any{"id": anID, tt.name: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		shown := tt.name
		if len(shown) > 40 {
			shown = shown[:40] + "…"
		}
		if _, _, err := decode(t, string(raw), Options{}); err == nil || err.Error() != "there is no argument "+shown+tt.hint {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.hint)
		}
		_, ignored, err := decode(t, string(raw), Options{IgnoreUnknown: true})
		if tt.ignored && (err != nil || !reflect.DeepEqual(ignored, []string{shown})) || !tt.ignored && err == nil {
			t.Errorf("%s: ignored %q, %v", tt.name, ignored, err)
		}
	}
	_, ignored, err := decode(t, withID+`"zebra":1,"apple":2}`, Options{IgnoreUnknown: true})
	if err != nil || !reflect.DeepEqual(ignored, []string{"apple", "zebra"}) {
		t.Errorf("ignored %q, %v", ignored, err)
	}
}

// TestClientArguments: what clients add by themselves is never spoken of.
func TestClientArguments(t *testing.T) {
	const added = `"toolCallId":"1","sessionId":"s","action":"a","chatInput":"c","tool":"t","task_progress":"p","wait_for_previous":true}`
	for _, ignore := range []bool{false, true} {
		got, ignored, err := decode(t, withID+added, Options{IgnoreUnknown: ignore})
		if err != nil || ignored != nil || got.ID != anID {
			t.Errorf("got %+v, ignored %q, %v", got, ignored, err)
		}
	}
}

// TestNormalize: the texts of arguments are changed before they are checked.
func TestNormalize(t *testing.T) {
	o := Options{Normalize: func(name, text string) string {
		if name == "id" {
			return strings.TrimPrefix(text, "run://")
		}
		return text + "!"
	}}
	got, _, err := decode(t, `{"id":"run://`+anID+`","shortText":"abc","count":5}`, o)
	if err != nil || got.ID != anID || got.Text != "abc!" || got.Count != 5 {
		t.Errorf("got %+v, %v", got, err)
	}
}
