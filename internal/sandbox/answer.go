package sandbox

import (
	"encoding/json"
	"net/http"
)

// problem is an error answer. The contract publishes no error schema; this is
// the shape of the framework the API's other answers point to.
type problem struct {
	StatusCode int    `json:"statusCode"`
	Message    any    `json:"message"` // a string, or a []string from validation
	Error      string `json:"error"`
}

func refuse(status int, message string) *problem {
	return &problem{StatusCode: status, Message: message, Error: http.StatusText(status)}
}

// invalid is the validation form of a 400: one message per broken rule.
func invalid(messages ...string) *problem {
	return &problem{StatusCode: http.StatusBadRequest, Message: messages, Error: http.StatusText(http.StatusBadRequest)}
}

func errClosed() *problem {
	return refuse(http.StatusServiceUnavailable, "the sandbox is shutting down")
}

func (p *problem) write(w http.ResponseWriter) { writeJSON(w, p.StatusCode, p) }

// writeJSON sends v. An error here means that the caller went away, and there
// is nobody left to tell.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"statusCode":500,"message":"Internal server error","error":"Internal Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
