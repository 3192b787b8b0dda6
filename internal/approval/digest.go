package approval

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/client"
)

// Digest returns a hash of what would happen if a request were granted: its scope and
// tokens; the id, name and parameters of each tool call; for a whole run the plan that
// the API has, or that it has none. A person's answer counts for one digest. Neither
// the wording of the question nor what this process remembers is in it: every replica
// computes the same.
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

// canonicalCall returns what a tool call would do, without its result.
func canonicalCall(c client.ToolCall) []byte {
	out := strconv.AppendQuote([]byte("call"), c.ToolCallID)
	out = strconv.AppendQuote(out, c.ToolName)
	return canonical(out, compact(c.ToolParameters), 0)
}

// canonicalPlan returns the content of a plan, without the fields around it, such as
// its id and times.
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

// canonical appends a compact value to out so that values which mean the same are
// the same: fields by their names, strings in one spelling. Numbers stay as they
// are written, and duplicate fields in their order.
func canonical(out, value []byte, level int) []byte {
	if len(value) == 0 || level == maxLevels {
		return append(out, value...)
	}
	switch value[0] {
	case '"':
		return strconv.AppendQuote(out, canonicalString(value))
	case '[':
		out = append(out, '[')
		for _, m := range members(value) {
			out = append(canonical(out, m.value, level+1), ',')
		}
		return append(out, ']')
	case '{':
		all := members(value)
		for i := range all {
			all[i].name = canonicalString([]byte(all[i].name))
		}
		slices.SortStableFunc(all, func(a, b member) int { return cmp.Compare(a.name, b.name) })
		out = append(out, '{')
		for _, m := range all {
			out = append(strconv.AppendQuote(out, m.name), ':')
			out = append(canonical(out, m.value, level+1), ',')
		}
		return append(out, '}')
	}
	return append(out, value...)
}

// canonicalString returns what a JSON string says. One that no UTF-8 can say (half
// of a surrogate pair) is as it is written, behind a mark, so that two of them
// stay two.
func canonicalString(quoted []byte) string {
	s := unquote(quoted)
	if strings.ContainsRune(s, utf8.RuneError) {
		return string(utf8.RuneError) + string(quoted)
	}
	return s
}

// hashOf returns a hash that stands for a token: tokens themselves are not remembered.
func hashOf(token string) string {
	hash := sha256.Sum256([]byte(token))
	return string(hash[:])
}
