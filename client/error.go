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

// Kind says what went wrong in a word that is the same for every operation.
// It is the code that tools show to a model.
type Kind string

// The kinds of failure. The set is closed: tools document each of them.
const (
	InvalidArgument Kind = "invalid_argument"
	Unauthorized    Kind = "unauthorized"
	NotFound        Kind = "not_found"
	Conflict        Kind = "conflict"
	RateLimited     Kind = "rate_limited"
	// Unavailable means the API did not serve the request; it may later.
	Unavailable Kind = "upstream_unavailable"
	// Invalid means the API answered something the contract does not allow.
	Invalid Kind = "upstream_invalid"
	Timeout Kind = "timeout"
	// OutcomeUnknown means a request with an effect was sent and nobody knows
	// whether it took effect. It must not be sent again.
	OutcomeUnknown Kind = "outcome_unknown"
	Canceled       Kind = "canceled"
	// Misconfigured means that the configured address serves no Run API, or
	// cannot be trusted: whoever set it must act.
	Misconfigured Kind = "misconfigured"
)

// Kinds returns all kinds of failure.
func Kinds() []Kind {
	return []Kind{InvalidArgument, Unauthorized, NotFound, Conflict, RateLimited, Unavailable, Invalid, Timeout, OutcomeUnknown, Canceled, Misconfigured}
}

// Error is a failed operation. Its text holds neither the key, the token that
// was sent, a query nor a raw body; what else the API says in it goes through
// internal/view, as all that it says.
type Error struct {
	Kind       Kind
	Op         string        // the operation, by its tool's name: "get_run"
	Status     int           // HTTP status, 0 when no answer came
	Message    string        // the API's own words (one line, up to 64 KiB) or ours
	RetryAfter time.Duration // how long to wait, as the API asks or the breaker; 0 when nobody says
	quoted     bool          // Message holds the API's own words
	fault      bool          // the API was not reached, did not answer in time or whole, or with 5xx
	cause      error         // for errors.Is; never shown, for it may quote a URL
}

// Error returns the operation, the kind and the safe message.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Op, e.Kind, e.Message)
}

// LogValue returns kind, operation and status, and the message where that is
// ours: logs hold no words of the API.
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

// Unwrap returns the cause, so that errors.Is finds context errors.
func (e *Error) Unwrap() error { return e.cause }

// verdict returns what the error, nil for none, tells of the API's health.
func (e *Error) verdict() verdict {
	switch {
	case e == nil:
		return healthy
	case e.fault:
		return failing
	case e.Status > 0:
		return healthy
	default:
		return noVerdict
	}
}

// afterDoubt returns the error as that of a call of which, if doubt, an
// earlier try may have taken effect.
func (e *Error) afterDoubt(doubt bool) *Error {
	if !doubt || e.Kind == OutcomeUnknown {
		return e
	}
	unknown := *e
	unknown.Kind = OutcomeUnknown
	unknown.Message = "an earlier try may have taken effect; after it: " + e.Message
	return &unknown
}

// KindOf returns the kind of err, "" when it is not an [Error].
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// statusError is the error of an answer with a status other than 2xx.
func statusError(call request, status int, message string, retryAfter time.Duration) *Error {
	kind, own := kindOfStatus(call, status)
	quoted := message != ""
	if !quoted {
		message = own
	}
	return &Error{Kind: kind, Op: call.op, Status: status, Message: message, RetryAfter: retryAfter, quoted: quoted, fault: status >= 500}
}

func kindOfStatus(call request, status int) (Kind, string) {
	switch {
	case status == 401:
		return Unauthorized, "the Run API refused the API key"
	case status == 404 && (call.op == "list_runs" || call.op == "create_run"):
		// Every Run API has these: what it does not know stands in the arguments.
		return InvalidArgument, "the Run API knows nothing of what an argument names (404), or the address is that of another API"
	case status == 403 && call.runID != "", status == 404, status == 410:
		// 403 on a run reads as not found, so that nobody learns which ids exist.
		return NotFound, "the Run API knows no such " + call.subject() + " under this API key"
	case status == 403:
		return Unauthorized, "the API key may not do this"
	case status == 409:
		return Conflict, "the state of the run does not allow this"
	case status == 429:
		return RateLimited, "the Run API asks to slow down"
	case call.effect() && doubtful(status):
		return OutcomeUnknown, fmt.Sprintf("the Run API answered %d; whether the request took effect is unknown", status)
	case status == 408, status == 425, status >= 500:
		return Unavailable, fmt.Sprintf("the Run API answered %d", status)
	case status >= 400 && status < 500 && status != 405 && status != 407:
		return InvalidArgument, fmt.Sprintf("the Run API refused the request (%d)", status)
	default:
		return Invalid, fmt.Sprintf("the Run API answered an unexpected status %d", status)
	}
}

// doubtful reports whether a request answered with the status may have taken
// effect: 302 and 303 are "done, look there" to many a server, and below 200
// stands no answer at all.
func doubtful(status int) bool {
	return status < 200 || status == 302 || status == 303 || status == 408 || status == 425 || status >= 500
}

// sendError is the error of a request that got no answer. left says whether
// any of it may have left this machine.
func sendError(ctx context.Context, call request, left bool, err error) *Error {
	e := &Error{Kind: Unavailable, Op: call.op, Message: "the Run API could not be reached", cause: err, fault: true}
	why, final := reason(err)
	if why == "" && left { // net/http has several errors of its own for that
		why = "the connection broke"
	}
	if why != "" {
		e.Message += ": " + why
	}
	late := errors.Is(context.Cause(ctx), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	if ctx.Err() != nil && !late {
		e.fault = false // the caller went away
	}
	switch {
	case call.effect() && left && ctx.Err() != nil && !late:
		e.Kind = OutcomeUnknown
		e.Message = "the call was ended before the answer came; whether it took effect is unknown"
	case call.effect() && left:
		e.Kind = OutcomeUnknown
		e.Message = "the connection broke after the request was sent; whether it took effect is unknown"
	case late:
		e.Kind = Timeout
		e.Message = "the Run API did not answer in time"
	case ctx.Err() != nil:
		e.Kind = Canceled
		e.Message = "the caller went away"
	case final:
		e.Kind, e.fault = Misconfigured, false
	}
	return e
}

// foreignError is the error of an answer that something else gave in the API's
// place: a web server at a wrong address, a proxy, a firewall. served says that
// the API itself has answered before, so that it may pass.
func foreignError(call request, status int, served bool) *Error {
	e := &Error{Kind: Misconfigured, Op: call.op, Status: status}
	switch {
	case served:
		e.Kind = Unavailable
		e.Message = fmt.Sprintf("something answered %d in the place of the Run API", status)
	case status >= 300 && status < 400:
		e.Message = fmt.Sprintf("the address of the Run API redirects elsewhere (%d); that is not followed", status)
	default:
		e.Message = fmt.Sprintf("the address answered %d and not as the Run API does: it serves none", status)
	}
	return e
}

// isForeign reports whether the status and body of an answer show that the API
// did not give it. A 401 stands for itself, and so do the statuses of trouble.
func isForeign(call request, status int, body []byte) bool {
	switch {
	case status == 302 || status == 303:
		return !call.effect() // else it may mean "done, look there"
	case status >= 300 && status < 400:
		return true
	case status == 403, status == 404, status == 405, status == 410:
		return !saysError(body)
	case status == 400: // a TLS server that is spoken to without TLS
		return !saysError(body) && bytes.Contains(body, []byte("HTTPS"))
	}
	return false
}

// saysError reports whether a body is an error of an API: a JSON object with a
// message, a status or an error.
func saysError(body []byte) bool {
	var own map[string]json.RawMessage
	if json.Unmarshal(body, &own) != nil {
		return false
	}
	for _, name := range []string{"message", "statusCode", "error", "errors"} {
		if _, ok := own[name]; ok {
			return true
		}
	}
	return false
}

// bodyError is the error of an answer whose body does not hold what it should.
func bodyError(call request, status int, what string, cause error) *Error {
	e := &Error{Kind: Invalid, Op: call.op, Status: status, Message: what, cause: cause}
	if call.effect() {
		e.Kind = OutcomeUnknown
		e.Message = what + "; the request probably took effect"
	}
	return e
}

// ownMessage is the API's error body: a message, or several.
type ownMessage struct {
	Message json.RawMessage `json:"message"`
}

// apiMessage returns what the API says in an error body, as one line without
// the secrets; "" where it says nothing readable. It is not cut: nobody would
// know half of another secret for one.
func apiMessage(body []byte, secrets []string) string {
	var own ownMessage
	if json.Unmarshal(body, &own) != nil {
		return ""
	}
	var one string
	var many []string
	if json.Unmarshal(own.Message, &one) != nil && json.Unmarshal(own.Message, &many) == nil {
		one = strings.Join(many, "; ")
	}
	for _, s := range secrets {
		if len(s) < 4 {
			continue
		}
		one = strings.ReplaceAll(one, s, "[removed]")
		one = strings.ReplaceAll(one, url.QueryEscape(s), "[removed]")
	}
	return strings.Join(strings.Fields(one), " ")
}

// maxRetryAfter is the longest wait that is told: an API that asks for more
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
