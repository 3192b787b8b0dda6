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

// createRequest is a checked body of POST /v1/runs. Pass-through data is checked
// and dropped, so it cannot leak.
type createRequest struct {
	intent, context, userID string
	strategy                string // approvalStrategy
	repeatOf                string // repeatKey: the run to take the plan from
	integrations            []integration
	behaviour               behaviour
	shapedResult            any // an example of outputSchema; nil without one
}

func readCreateRequest(w http.ResponseWriter, r *http.Request) (createRequest, *problem) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return createRequest{}, invalid("the body must be application/json")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return createRequest{}, newProblem(http.StatusRequestEntityTooLarge, "request entity too large")
	}
	if err != nil {
		return createRequest{}, newProblem(http.StatusBadRequest, "the body could not be read")
	}
	var body bodyReader
	if err := json.Unmarshal(data, &body.fields); err != nil || body.fields == nil {
		return createRequest{}, newProblem(http.StatusBadRequest, "the body must be one JSON object")
	}
	request := body.readCreateRequest()
	if len(body.problems) > 0 {
		return createRequest{}, invalid(body.problems...)
	}
	return request, nil
}

// bodyReader reads a JSON object field by field. It collects all problems, so that
// a caller learns of all mistakes at once.
type bodyReader struct {
	fields   map[string]json.RawMessage
	problems []string
}

func (b *bodyReader) readCreateRequest() createRequest {
	request := createRequest{
		intent:   b.readString("intent", true, true),
		context:  b.readString("context", true, false),
		userID:   b.readString("userId", true, true),
		strategy: b.readString("approvalStrategy", false, false),
		repeatOf: b.readString("repeatKey", false, true),
	}
	switch request.strategy {
	case "", "NONE", "ON_TOOL_CALL", "ON_START":
	default:
		b.addProblem("approvalStrategy must be one of the following values: NONE, ON_TOOL_CALL, ON_START")
	}
	var problems []string
	request.integrations, problems = selectIntegrations(b.readIntegrationIDs())
	b.problems = append(b.problems, problems...)
	request.behaviour, problems = parseBehaviour(request.context)
	b.problems = append(b.problems, problems...)
	b.checkPassThrough(request.integrations)
	request.shapedResult = b.readOutputSchema()
	return request
}

// readString reads a string. Null is a wrong type, because the contract has no
// nullable field.
func (b *bodyReader) readString(name string, required, nonEmpty bool) string {
	raw, given := b.fields[name]
	if !given && !required {
		return ""
	}
	value, ok := decode[string](raw)
	if !ok {
		b.addProblem("%s must be a string", name)
	}
	if ok && nonEmpty && value == "" {
		b.addProblem("%s should not be empty", name)
	}
	return value
}

func (b *bodyReader) readIntegrationIDs() []string {
	const name = "selectedCustomerIntegrationIds"
	items, ok := decode[[]json.RawMessage](b.fields[name])
	if !ok {
		b.addProblem("%s must be an array", name)
		return nil
	}
	if len(items) == 0 {
		b.addProblem("%s should not be empty", name)
	}
	var ids []string
	for _, item := range items {
		id, ok := decode[string](item)
		if !ok {
			b.addProblem("each value in %s must be a string", name)
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// readOutputSchema returns a result that conforms to the outputSchema, or nil if
// there is no schema.
func (b *bodyReader) readOutputSchema() any {
	raw, given := b.fields["outputSchema"]
	if !given {
		return nil
	}
	schema, ok := decode[map[string]any](raw)
	if !ok {
		b.addProblem("outputSchema must be an object")
		return nil
	}
	result, err := resultForSchema(schema)
	if err != nil {
		b.addProblem("outputSchema: %v", err)
	}
	return result
}

func (b *bodyReader) addProblem(format string, args ...any) {
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

// decode reads a JSON value. It reports false for a missing value, for null and
// for another type.
func decode[T any](raw json.RawMessage) (T, bool) {
	var value *T
	if len(raw) == 0 || json.Unmarshal(raw, &value) != nil || value == nil {
		var zero T
		return zero, false
	}
	return *value, true
}
