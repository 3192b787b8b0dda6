package sandbox

import (
	"encoding/json"
	"net/http"
)

// problem is an error answer. The contract publishes no error schema; this is the
// shape of NestJS, which the API's other answers point to.
type problem struct {
	StatusCode int    `json:"statusCode"`
	Message    any    `json:"message"` // a string, or a []string from validation
	Error      string `json:"error"`
}

func newProblem(status int, message string) *problem {
	return &problem{StatusCode: status, Message: message, Error: http.StatusText(status)}
}

// invalid returns the 400 of a validation, with one message per broken rule.
func invalid(messages ...string) *problem {
	return &problem{StatusCode: http.StatusBadRequest, Message: messages, Error: http.StatusText(http.StatusBadRequest)}
}

func errClosed() *problem {
	return newProblem(http.StatusServiceUnavailable, "the sandbox is shutting down")
}

// writeJSON answers with v. It ignores a write error, which means that the client
// went away.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"statusCode":500,"message":"Internal server error","error":"Internal Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
