package prompts

import (
	"context"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// maxCompletions is the protocol's bound on the values of one completion.
const maxCompletions = 100

// completeIDs completes the last of some ids with commas between them. Each value
// repeats the ids before it.
func (h *handlers) completeIDs(ctx context.Context, typed string) (*mcp.Completion, error) {
	at := strings.LastIndexByte(typed, ',') + 1
	before, last := splitIDs(typed[:at]), strings.TrimSpace(typed[at:])
	ids, err := h.Complete.IntegrationIDs(ctx, last)
	if err != nil {
		return nil, err
	}
	out := &mcp.Completion{Values: []string{}}
	for _, id := range ids {
		isPlain := slices.Equal(splitIDs(id), []string{id}) && areIDs([]string{id}) // others could not be read back
		if !isPlain || slices.Contains(before, id) || slices.Contains(before, "*") {
			continue
		}
		if out.HasMore = len(out.Values) == maxCompletions; out.HasMore {
			break
		}
		out.Values = append(out.Values, strings.Join(append(slices.Clone(before), id), ","))
	}
	return out, nil
}

// splitIDs returns the ids in a text with commas between them, which may be a JSON
// array.
func splitIDs(text string) []string {
	var ids []string
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.Trim(id, " \t\r\n[]\"'"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// areIDs reports whether texts can be ids of integrations, or are * alone.
func areIDs(ids []string) bool {
	isNoID := func(id string) bool { return strings.ContainsAny(id, " \t\r\n\"'[]{}<>$") }
	if len(ids) == 0 || slices.ContainsFunc(ids, isNoID) {
		return false
	}
	return len(ids) == 1 || !slices.Contains(ids, "*")
}
