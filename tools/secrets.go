package tools

import (
	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// secrets are what one call takes out of all that it shows. Nothing of them
// outlives the call. They are for the call's own goroutine.
type secrets struct {
	fixed  *redact.Set      // the operator's, and the caller's key
	given  []string         // what the call itself brought
	tokens redact.Collector // of the approvals of the call's run

	models *redact.Set // made of these when it is needed; nil: anew
}

// secretsOf returns the secrets that every call of a caller has.
func (s *set) secretsOf(caller client.Caller) secrets {
	return secrets{fixed: s.Secrets.With(string(caller.Key))}
}

// addGiven adds secrets that the call brought. A model could name any word one,
// so a person's question shows them.
func (s *secrets) addGiven(given ...string) {
	s.given, s.models = append(s.given, given...), nil
}

// addTokens adds the tokens of the call's run, as it was just read.
func (s *secrets) addTokens(tokens []string) {
	if s.tokens.Add(tokens...) {
		s.models = nil
	}
}

// view returns the view of what the model and notifications get.
func (s *secrets) view() view.View {
	if s.models == nil {
		s.models = s.fixed.With(s.tokens.Secrets()...).With(s.given...)
	}
	return view.New(s.models)
}

// viewOf returns the view of one run of a list.
func (s *secrets) viewOf(run *client.Run) view.View {
	return view.New(s.fixed.With(s.given...).With(run.ApprovalTokens()...))
}
