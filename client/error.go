package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
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
