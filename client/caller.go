package client

import (
	"context"
	"encoding/json"
	"log/slog"
)

// Key is an API key. It prints as a placeholder.
type Key string

// String returns a placeholder, never the key.
func (k Key) String() string {
	if k == "" {
		return "(no key)"
	}
	return "(key)"
}

// GoString returns what String returns, for %#v.
func (k Key) GoString() string { return k.String() }

// LogValue returns what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes what String returns.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }

// Caller is an API key and the person it acts for, unless a call names another
// person. The key alone decides what the caller can see.
type Caller struct {
	Key    Key
	UserID string
}

type callerKey struct{}

// WithCaller returns a context that carries the caller of a request.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of a request, the zero Caller when there is none.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
