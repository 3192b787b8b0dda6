package approval

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"runs-mcp-server/client"
)

// Digest names what would happen if a request were granted: its scope and
// links, the id, name and parameters of each tool call, and for a whole run the
// plan that the API tells, or that it tells none. A person's answer counts for
// one digest. How the question is rendered, what a tool answered and what this
// process remembers are not in it: every replica computes the same.
func (r Request) Digest() string {
	h := sha256.New()
	part := func(text string) { h.Write(strconv.AppendQuote(nil, text)) }
	part(string(r.Scope))
	part(hashOf(r.tokens[Approve]))
	part(hashOf(r.tokens[Deny]))
	if r.Scope == OfRun {
		h.Write(canonicalPlan(r.Plan))
	}
	if r.Step != nil {
		for _, c := range r.Step.ToolCalls {
			h.Write(canonicalCall(c))
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// canonicalCall returns what a tool call would do: not its result.
func canonicalCall(c client.ToolCall) []byte {
	out := strconv.AppendQuote([]byte("call"), c.ToolCallID)
	out = strconv.AppendQuote(out, c.ToolName)
	return canonical(out, compact(c.ToolParameters), 0)
}

// canonicalPlan returns what a plan says, without what stands around it: the
// address it was read from and its times.
func canonicalPlan(p *client.Plan) []byte {
	if p == nil {
		return []byte("no plan")
	}
	var outer struct {
		Plan json.RawMessage `json:"plan"`
	}
	_ = json.Unmarshal(p.Raw, &outer)
	return canonical([]byte("plan"), compact(outer.Plan), 0)
}
