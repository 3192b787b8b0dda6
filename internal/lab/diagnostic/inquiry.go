//go:build diagnostic

package diagnostic

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// inquiry is what a tool or prompt asks of the client before it answers. Since
// 2026-07-28 that is an input_required result and a retry per round; for older
// clients mcp-go sends the requests itself and calls the handler again.
type inquiry struct {
	rounds []mcp.InputRequests
	key    stateKey // nil when no state travels along; with several rounds one must
}

// next is what to ask now, or nil when everything was answered.
func (q inquiry) next(ctx context.Context, got mcp.MultiRoundTripParams) (*mcp.MultiRoundTripResult, error) {
	round := 0
	if q.key != nil && got.RequestState != "" {
		var err error
		if round, err = q.key.open(got.RequestState); err != nil {
			return nil, err
		}
	}
	asks, err := permitted(ctx, q.rounds[round])
	if err != nil {
		return nil, err
	}
	if answered(asks, got.InputResponses) && (q.key == nil || got.RequestState != "") {
		if round++; round == len(q.rounds) {
			return nil, nil
		}
		if asks, err = permitted(ctx, q.rounds[round]); err != nil {
			return nil, err
		}
	}
	out := &mcp.MultiRoundTripResult{InputRequests: asks}
	if q.key != nil {
		out.RequestState = q.key.seal(round)
	}
	return out, nil
}

// permitted are those of the requests that the client said it can answer.
func permitted(ctx context.Context, asks mcp.InputRequests) (mcp.InputRequests, error) {
	asks = maps.Clone(asks)
	capability := ""
	for id, ask := range asks {
		if !declared(ctx, ask.Method) {
			capability = capabilityFor(ask.Method)
			delete(asks, id)
		}
	}
	if len(asks) == 0 {
		return nil, mcp.MissingRequiredClientCapabilityError{Capability: capability}
	}
	return asks, nil
}

// capabilityFor is what a client must have declared to be asked.
func capabilityFor(method mcp.MCPMethod) string {
	switch method {
	case mcp.MethodElicitationCreate:
		return "elicitation"
	case mcp.MethodSamplingCreateMessage:
		return "sampling"
	}
	return "roots"
}

// declared reports whether the client can answer a request. Of older clients
// their session knows.
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

// answered reports whether every request has an answer that fits it. Answers to
// what nobody asked are ignored.
func answered(asks mcp.InputRequests, got mcp.InputResponses) bool {
	for id, ask := range asks {
		answer, ok := got[id]
		if !ok || answer.DecodeFor(ask.Method) != nil {
			return false
		}
		if answer.Elicitation != nil && answer.Elicitation.Action == "" {
			return false
		}
	}
	return true
}

// elicit asks the person at the client to fill in a form.
func elicit(message, schema string) mcp.InputRequest {
	return mcp.NewElicitationInputRequest(mcp.ElicitationParams{Message: message, RequestedSchema: json.RawMessage(schema)})
}

// sample asks the client's model.
func sample(prompt string) mcp.InputRequest {
	return mcp.NewSamplingInputRequest(mcp.CreateMessageParams{
		Messages:  []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(prompt)}},
		MaxTokens: 100,
	})
}
