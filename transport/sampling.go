package transport

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
)

// RequestSampling implements server.SessionWithSampling: it asks the client's
// model. The product never does; the conformance suite does, for a server of
// the old era is able to.
func (c *call) RequestSampling(ctx context.Context, ask mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	if c.msg.modern() || c.GetClientCapabilities().Sampling == nil {
		return nil, errors.New("the client did not declare sampling")
	}
	m, err := c.request(ctx, mcp.MethodSamplingCreateMessage, ask.CreateMessageParams)
	if err != nil || m.result == nil {
		return nil, errors.New("the client answered no sample")
	}
	var result mcp.CreateMessageResult
	if err := json.Unmarshal(m.result, &result); err != nil {
		return nil, errors.New("the client's sample is not what the specification says")
	}
	if content, ok := result.Content.(map[string]any); ok {
		parsed, err := mcp.ParseContent(content)
		if err != nil {
			return nil, errors.New("the client's sample has content of no known type")
		}
		result.Content = parsed
	}
	return &result, nil
}
