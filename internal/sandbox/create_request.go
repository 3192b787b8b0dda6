package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxBody is far above any sensible intent, and small enough to be read whole.
const maxBody = 1 << 20

// createRequest is a checked body of POST /v1/runs. Pass-through data is
// checked and then dropped: what is not kept cannot leak.
type createRequest struct {
	intent, context, userID, strategy, repeatKey string
	integrations                                 []integration
	behaviour                                    behaviour
	shaped                                       any
}

func readCreateRequest(w http.ResponseWriter, r *http.Request) (createRequest, *problem) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return createRequest{}, invalid("the body must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return createRequest{}, refuse(http.StatusRequestEntityTooLarge, "request entity too large")
	}
	if err != nil {
		return createRequest{}, refuse(http.StatusBadRequest, "the body could not be read")
	}
	var fields fields
	if err := json.Unmarshal(body, &fields.raw); err != nil || fields.raw == nil {
		return createRequest{}, refuse(http.StatusBadRequest, "the body must be one JSON object")
	}
	c := fields.createRequest()
	if len(fields.problems) > 0 {
		return createRequest{}, invalid(fields.problems...)
	}
	return c, nil
}

// fields reads a JSON object field by field and collects every problem: an
// answer that names one mistake at a time costs the caller a round trip each.
type fields struct {
	raw      map[string]json.RawMessage
	problems []string
}

func (f *fields) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

func (f *fields) createRequest() createRequest {
	c := createRequest{
		intent:    f.text("intent", true, true),
		context:   f.text("context", true, false),
		userID:    f.text("userId", true, true),
		strategy:  f.text("approvalStrategy", false, false),
		repeatKey: f.text("repeatKey", false, true),
	}
	switch c.strategy {
	case "", "NONE", "ON_TOOL_CALL", "ON_START":
	default:
		f.problem("approvalStrategy must be one of the following values: NONE, ON_TOOL_CALL, ON_START")
	}
	var found []string
	c.integrations, found = choose(f.ids())
	f.problems = append(f.problems, found...)
	c.behaviour, found = parseBehaviour(c.context)
	f.problems = append(f.problems, found...)
	f.passThrough(c.integrations)
	c.shaped = f.outputSchema()
	return c
}

// text reads a string. Null is a wrong type: the contract has no nullable field.
func (f *fields) text(name string, required, filled bool) string {
	raw, given := f.raw[name]
	if !given && !required {
		return ""
	}
	value, ok := decode[string](raw)
	if !ok {
		f.problem("%s must be a string", name)
	}
	if ok && filled && value == "" {
		f.problem("%s should not be empty", name)
	}
	return value
}

func (f *fields) ids() []string {
	const name = "selectedCustomerIntegrationIds"
	items, ok := decode[[]json.RawMessage](f.raw[name])
	if !ok {
		f.problem("%s must be an array", name)
		return nil
	}
	if len(items) == 0 {
		f.problem("%s should not be empty", name)
	}
	var ids []string
	for _, item := range items {
		id, ok := decode[string](item)
		if !ok {
			f.problem("each value in %s must be a string", name)
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

func (f *fields) outputSchema() any {
	raw, given := f.raw["outputSchema"]
	if !given {
		return nil
	}
	schema, ok := decode[map[string]any](raw)
	if !ok {
		f.problem("outputSchema must be an object")
		return nil
	}
	shaped, err := resultForSchema(schema)
	if err != nil {
		f.problem("outputSchema: %v", err)
	}
	return shaped
}

// decode reads a JSON value and reports false for a missing one, for null and
// for another type.
func decode[T any](raw json.RawMessage) (T, bool) {
	var value *T
	if len(raw) == 0 || json.Unmarshal(raw, &value) != nil || value == nil {
		var zero T
		return zero, false
	}
	return *value, true
}
