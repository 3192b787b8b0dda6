package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// maxLog bounds one text in a log line, in bytes; a stack trace fits.
const maxLog = 8 << 10

// LogHandler returns a handler that renders every message and value by [View.Text] and
// passes it to next. Of an error of the Run API, wrapped or not, it logs what
// [client.Error.LogValue] returns, without the API's text. secrets are the operator's.
func LogHandler(secrets *redact.Set, next slog.Handler) slog.Handler {
	return logHandler{New(secrets), next}
}

type logHandler struct {
	view View
	next slog.Handler
}

func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.view.Text(r.Message, maxLog), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return logHandler{view: h.view, next: h.next.WithAttrs(clean)}
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{view: h.view, next: h.next.WithGroup(name)}
}

func (h logHandler) attr(a slog.Attr) slog.Attr {
	switch a.Value.Kind() { // the usual ones, without an allocation
	case slog.KindString:
		return slog.String(a.Key, h.text(a.Key, a.Value.String()))
	case slog.KindInt64, slog.KindBool, slog.KindDuration:
		return a
	}
	if err, ok := a.Value.Any().(error); ok {
		if answered, ok := errors.AsType[*client.Error](err); ok {
			a.Value = answered.LogValue()
		}
	}
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		group := make([]any, 0, len(value.Group()))
		for _, member := range value.Group() {
			group = append(group, h.attr(member))
		}
		return slog.Group(a.Key, group...)
	case slog.KindString, slog.KindAny:
		return slog.String(a.Key, h.text(a.Key, fmt.Sprint(value.Any())))
	default:
		return slog.Attr{Key: a.Key, Value: value}
	}
}

// text returns the text of a field as it may be logged.
func (h logHandler) text(field, value string) string {
	if secretField(field) {
		return redact.Removed
	}
	return h.view.Text(value, maxLog)
}
