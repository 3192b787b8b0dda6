//go:build diagnostic

package diagnostic

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// inputRounds is what a tool or prompt asks the client before it answers. Since
// 2026-07-28 a round is an input_required result and a retry. For older clients
// mcp-go sends the requests itself and calls the handler again.
type inputRounds struct {
	rounds []mcp.InputRequests
	key    stateKey // seals the round into requestState; nil without state, needed for several rounds
}

// next returns what to ask now, or nil if everything is answered.
func (q inputRounds) next(ctx context.Context, got mcp.MultiRoundTripParams) (*mcp.MultiRoundTripResult, error) {
	round := 0
	if q.key != nil && got.RequestState != "" {
		var err error
		if round, err = q.key.open(got.RequestState); err != nil {
			return nil, err
		}
	}
	requests, err := declaredRequests(ctx, q.rounds[round])
	if err != nil {
		return nil, err
	}
	if isAnswered(requests, got.InputResponses) && (q.key == nil || got.RequestState != "") {
		if round++; round == len(q.rounds) {
			return nil, nil
		}
		if requests, err = declaredRequests(ctx, q.rounds[round]); err != nil {
			return nil, err
		}
	}
	out := &mcp.MultiRoundTripResult{InputRequests: requests}
	if q.key != nil {
		out.RequestState = q.key.seal(round)
	}
	return out, nil
}

// declaredRequests returns the requests that the client declared it can answer.
func declaredRequests(ctx context.Context, requests mcp.InputRequests) (mcp.InputRequests, error) {
	requests = maps.Clone(requests)
	capability := ""
	for id, request := range requests {
		if !declared(ctx, request.Method) {
			capability = capabilityFor(request.Method)
			delete(requests, id)
		}
	}
	if len(requests) == 0 {
		return nil, mcp.MissingRequiredClientCapabilityError{Capability: capability}
	}
	return requests, nil
}

// capabilityFor returns the capability that a client must declare to be asked.
func capabilityFor(method mcp.MCPMethod) string {
	switch method {
	case mcp.MethodElicitationCreate:
		return "elicitation"
	case mcp.MethodSamplingCreateMessage:
		return "sampling"
	}
	return "roots"
}

// declared reports whether the client declared that it can answer a request: in the
// request, or for older clients in the session.
func declared(ctx context.Context, method mcp.MCPMethod) bool {
	var can mcp.ClientCapabilities
	if server.IsModernRequest(ctx) {
		can = *server.RequestProtocolInfoFromContext(ctx).ClientCapabilities
	} else if s, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		can = s.GetClientCapabilities()
	}
	switch method {
	case mcp.MethodElicitationCreate:
		return can.Elicitation != nil
	case mcp.MethodSamplingCreateMessage:
		return can.Sampling != nil
	case mcp.MethodListRoots:
		return can.Roots != nil
	}
	return false
}

// isAnswered reports whether every request has an answer of its kind. Other answers
// are ignored.
func isAnswered(requests mcp.InputRequests, got mcp.InputResponses) bool {
	for id, request := range requests {
		answer, ok := got[id]
		if !ok || answer.DecodeFor(request.Method) != nil {
			return false
		}
		if answer.Elicitation != nil && answer.Elicitation.Action == "" {
			return false
		}
	}
	return true
}

// elicit returns a request to fill in a form.
func elicit(message, schema string) mcp.InputRequest {
	return mcp.NewElicitationInputRequest(mcp.ElicitationParams{Message: message, RequestedSchema: json.RawMessage(schema)})
}

// sample returns a request to the client's model.
func sample(prompt string) mcp.InputRequest {
	return mcp.NewSamplingInputRequest(mcp.CreateMessageParams{
		Messages:  []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(prompt)}},
		MaxTokens: 100,
	})
}
