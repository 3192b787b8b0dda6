package resources

import (
	"errors"
	"log/slog"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

const (
	// maxPage bounds what one read shows of events or steps, in bytes of JSON: below
	// the 12,000 at which Codex cuts.
	maxPage = 10_000
	// maxList bounds the list of integrations, which has no pages, in bytes of JSON.
	maxList = 48 << 10
)

// Options are what the resources work with, and the operator's limits.
type Options struct {
	API     *client.Client
	Feeds   *feed.Hub
	Decider *approval.Decider
	Log     *slog.Logger
	// Secrets are the operator's. They are never shown.
	Secrets *redact.Set

	// Integrations are those that runs may use; empty when the operator set none.
	Integrations        []string
	AllowAnyIntegration bool // a run may use others too
}

// handlers are the resources of one server.
type handlers struct{ Options }

// secrets returns what is never shown to a caller: the operator's secrets and the
// caller's key.
func (h *handlers) secrets(caller client.Caller) *redact.Set {
	return h.Secrets.With(string(caller.Key))
}

// view returns the view of what is read without the events of a run.
func (h *handlers) view(caller client.Caller) view.View { return view.New(h.secrets(caller)) }

// viewOf returns the view of a run whose events hold these tokens.
func (h *handlers) viewOf(caller client.Caller, tokens []string) view.View {
	return view.New(h.secrets(caller).With(tokens...))
}

// shownError returns an error with a text fit to show.
func (h *handlers) shownError(caller client.Caller, err error) error {
	return errors.New(h.view(caller).Line(err.Error(), 400))
}
