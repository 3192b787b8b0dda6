package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Kind says what went wrong, in the same word for every operation. It is the code
// that tools show to a model.
type Kind string

// The kinds of failure. The set is closed: tools document each of them.
const (
	InvalidArgument Kind = "invalid_argument"
	Unauthorized    Kind = "unauthorized"
	NotFound        Kind = "not_found"
	Conflict        Kind = "conflict"
	RateLimited     Kind = "rate_limited"
	// Unavailable means that the API did not serve the request. It may later.
	Unavailable Kind = "upstream_unavailable"
	// Invalid means that the API's answer breaks the contract.
	Invalid Kind = "upstream_invalid"
	Timeout Kind = "timeout"
	// OutcomeUnknown means that a request with an effect was sent, and that nobody
	// knows whether it took effect. It must not be sent again.
	OutcomeUnknown Kind = "outcome_unknown"
	Canceled       Kind = "canceled"
	// Misconfigured means that the configured address serves no Run API, or cannot be
	// trusted. The operator must change something.
	Misconfigured Kind = "misconfigured"
)

// Kinds returns all kinds of failure.
func Kinds() []Kind {
	return []Kind{InvalidArgument, Unauthorized, NotFound, Conflict, RateLimited, Unavailable, Invalid, Timeout, OutcomeUnknown, Canceled, Misconfigured}
}

// Error is a failed operation. Its text holds neither the key, the token that was
// sent, a query nor a raw body. Words of the API in it are still untrusted: they
// go through internal/view.
type Error struct {
	Kind       Kind
	Op         string        // the operation, by its tool's name: "get_run"
	Status     int           // HTTP status, 0 when no answer came
	Message    string        // the API's own words (one line, up to 64 KiB) or ours
	RetryAfter time.Duration // how long the API or the breaker asks to wait, 0 if neither does
	quoted     bool          // Message holds the API's own words
	fault      bool          // the API was not reached, gave no whole answer in time, or answered 5xx
	cause      error         // for errors.Is; never shown, for it may quote a URL
}

// Error returns the operation, the kind and the safe message.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Op, e.Kind, e.Message)
}

// Unwrap returns the cause, so that errors.Is finds context errors.
func (e *Error) Unwrap() error { return e.cause }

// LogValue returns kind, operation, status and, unless it is the API's, the
// message: logs hold no words of the API.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("op", e.Op)}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if !e.quoted {
		attrs = append(attrs, slog.String("message", e.Message))
	}
	return slog.GroupValue(attrs...)
}

// Detail returns why a request got no answer, for logs: it holds addresses that
// the operating system and the Go libraries name. It is "" if an answer came.
func (e *Error) Detail() string {
	if e.Status != 0 || e.cause == nil {
		return ""
	}
	cause := e.cause
	if quoting, ok := errors.AsType[*url.Error](cause); ok {
		cause = quoting.Err // for it quotes the URL, and a URL may hold a token
	}
	return cause.Error()
}

// afterUncertain returns the error as OutcomeUnknown if an earlier try of the same
// request may have taken effect (uncertain).
func (e *Error) afterUncertain(uncertain bool) *Error {
	if !uncertain || e.Kind == OutcomeUnknown {
		return e
	}
	unknown := *e
	unknown.Kind = OutcomeUnknown
	unknown.Message = "an earlier try may have taken effect; after it: " + e.Message
	return &unknown
}

// KindOf returns the kind of err, "" when it is not an [Error].
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// statusError returns the error of an answer whose status is not 2xx.
func statusError(call request, status int, message string, retryAfter time.Duration) *Error {
	kind, own := kindOfStatus(call, status)
	quoted := message != ""
	if !quoted {
		message = own
	}
	return &Error{Kind: kind, Op: call.op, Status: status, Message: message, RetryAfter: retryAfter, quoted: quoted, fault: status >= 500}
}

// kindOfStatus is the table from a status to its kind and our message.
func kindOfStatus(call request, status int) (Kind, string) {
	switch {
	case status == 401:
		return Unauthorized, "the Run API refused the API key"
	case status == 404 && (call.op == "list_runs" || call.op == "create_run"):
		// Every Run API has these addresses, so the 404 is about an argument.
		return InvalidArgument, "the Run API knows nothing of what an argument names (404), or the address is that of another API"
	case call.runID != "" && (status == 403 || status == 404 || status == 410):
		// 403 on a run reads as not found, so that nobody learns which ids exist.
		return NotFound, "the Run API knows no such run under this API key"
	case status == 404, status == 410:
		return NotFound, "the Run API knows no such resource under this API key"
	case status == 403:
		return Unauthorized, "the API key may not do this"
	case status == 409:
		return Conflict, "the state of the run does not allow this"
	case status == 429:
		return RateLimited, "the Run API asks to slow down"
	case call.changes() && uncertainStatus(status):
		return OutcomeUnknown, fmt.Sprintf("the Run API answered %d; whether the request took effect is unknown", status)
	case status == 408, status == 425, status >= 500:
		return Unavailable, fmt.Sprintf("the Run API answered %d", status)
	case status >= 400 && status != 405 && status != 407:
		return InvalidArgument, fmt.Sprintf("the Run API refused the request (%d)", status)
	}
	return Invalid, fmt.Sprintf("the Run API answered an unexpected status %d", status)
}

// uncertainStatus reports whether a request that was answered with the status may
// have taken effect. Many servers mean "done, look there" by 302 and 303; 101 is no
// answer to the request.
func uncertainStatus(status int) bool {
	return status == 101 || status == 302 || status == 303 || status == 408 || status == 425 || status >= 500
}

// sendError returns the error of a request that got no answer. sent says whether
// any of it may have left this machine.
func sendError(ctx context.Context, call request, sent bool, err error) *Error {
	late := errors.Is(context.Cause(ctx), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	canceled := ctx.Err() != nil && !late
	e := &Error{Op: call.op, cause: err, fault: !canceled}
	switch why, permanent := describeCause(err, sent); {
	case call.changes() && sent && canceled:
		e.Kind = OutcomeUnknown
		e.Message = "the call was ended before the answer came; whether it took effect is unknown"
	case call.changes() && sent:
		e.Kind = OutcomeUnknown
		e.Message = "the connection broke after the request was sent; whether it took effect is unknown"
	case late:
		e.Kind = Timeout
		e.Message = "the Run API did not answer in time"
	case canceled:
		e.Kind = Canceled
		e.Message = "the caller went away"
	case permanent:
		e.Kind, e.fault = Misconfigured, false
		e.Message = "the Run API could not be reached" + why
	default:
		e.Kind = Unavailable
		e.Message = "the Run API could not be reached" + why
	}
	return e
}

// bodyError returns the error of an answer whose body does not hold what it should.
func bodyError(call request, status int, what string, cause error) *Error {
	e := &Error{Kind: Invalid, Op: call.op, Status: status, Message: what, cause: cause}
	if call.changes() {
		e.Kind = OutcomeUnknown
		e.Message = what + "; the request probably took effect"
	}
	return e
}

// foreignError returns the error of an answer that did not come from the API, but
// from a web server at a wrong address, a proxy or a firewall. served says that
// the API has answered before: then the trouble may pass.
func foreignError(call request, status int, served bool) *Error {
	e := &Error{Kind: Misconfigured, Op: call.op, Status: status}
	switch {
	case served:
		e.Kind = Unavailable
		e.Message = fmt.Sprintf("something answered %d in the place of the Run API", status)
	case status/100 == 3:
		e.Message = fmt.Sprintf("the address of the Run API redirects elsewhere (%d); that is not followed", status)
	default:
		e.Message = fmt.Sprintf("the address answered %d and not as the Run API does: it serves none", status)
	}
	return e
}

// isForeign reports whether an answer with this status and body did not come from
// the API. A 401 is believed without a body, and so are 429 and 5xx.
func isForeign(call request, status int, body []byte) bool {
	switch {
	case status == 302 || status == 303:
		return !call.changes() // else it may mean "done, look there"
	case status/100 == 3:
		return true
	case status == 403, status == 404, status == 405, status == 410:
		return !isErrorBody(body)
	case status == 400: // a TLS server that is spoken to without TLS
		return !isErrorBody(body) && bytes.Contains(body, []byte("HTTPS"))
	}
	return false
}

// isErrorBody reports whether a body is an API's error: a JSON object with a
// message, a status or an error.
func isErrorBody(body []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return false
	}
	for _, name := range []string{"message", "statusCode", "error", "errors"} {
		if _, ok := fields[name]; ok {
			return true
		}
	}
	return false
}

// apiMessage returns the message, or messages, of an error body as one line without
// the secrets; "" for a body without one. It is not truncated: a part of another
// secret could not be recognised as one.
func apiMessage(body []byte, secrets []string) string {
	var fields struct {
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	var message string
	var messages []string
	if json.Unmarshal(fields.Message, &message) != nil && json.Unmarshal(fields.Message, &messages) == nil {
		message = strings.Join(messages, "; ")
	}
	for _, s := range secrets {
		if len(s) < 4 {
			continue
		}
		message = strings.ReplaceAll(message, s, "[removed]")
		message = strings.ReplaceAll(message, url.QueryEscape(s), "[removed]")
	}
	return strings.Join(strings.Fields(message), " ")
}

// maxRetryAfter is the longest wait that is reported: an API that asks for more
// asks not to be called again.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After header: seconds or an HTTP date.
func retryAfter(header string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 31)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), maxRetryAfter)
	}
	return 0
}

// changes reports whether the request has an effect: then a doubtful outcome is
// OutcomeUnknown.
func (r request) changes() bool { return r.effect != safe }
