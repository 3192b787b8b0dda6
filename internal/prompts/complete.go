package prompts

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
)

// maxCompletions is the protocol's bound on the values of one completion.
const maxCompletions = 100

// Completions completes the arguments of the prompts.
func Completions(o Options) server.PromptCompletionProvider { return &set{o} }

// CompletePromptArgument returns what an argument that begins so may be.
func (s *set) CompletePromptArgument(ctx context.Context, name string, typed mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	all := s.all()
	i := slices.IndexFunc(all, func(p prompt) bool { return p.name == name })
	if i < 0 {
		return nil, invalid("there is no prompt %.40q", name)
	}
	j := slices.IndexFunc(all[i].arguments, func(a argument) bool { return a.name == typed.Name })
	if j < 0 || all[i].arguments[j].complete == nil || len(typed.Value) > all[i].arguments[j].max {
		return &mcp.Completion{Values: []string{}}, nil
	}
	return all[i].arguments[j].complete(ctx, typed.Value)
}

// completeIDs completes the last of the ids with commas between them, and
// keeps the others.
func (s *set) completeIDs(ctx context.Context, typed string) (*mcp.Completion, error) {
	at := strings.LastIndexByte(typed, ',') + 1
	before, last := idsIn(typed[:at]), strings.TrimSpace(typed[at:])
	ids, err := s.Complete.IntegrationIDs(ctx, last)
	if err != nil {
		return nil, err
	}
	out := &mcp.Completion{Values: []string{}}
	for _, id := range ids {
		if !slices.Equal(idsIn(id), []string{id}) || !areIDs([]string{id}) || slices.Contains(before, id) || slices.Contains(before, "*") {
			continue
		}
		if out.HasMore = len(out.Values) == maxCompletions; out.HasMore {
			break
		}
		out.Values = append(out.Values, strings.Join(append(slices.Clone(before), id), ","))
	}
	return out, nil
}

// idsIn returns the ids in a text with commas between them, which may be a JSON
// array.
func idsIn(text string) []string {
	var ids []string
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.Trim(id, " \t\r\n[]\"'"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// areIDs reports whether texts can be ids of integrations.
func areIDs(ids []string) bool {
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return strings.ContainsAny(id, " \t\r\n\"'[]{}<>$") }) &&
		(len(ids) == 1 || !slices.Contains(ids, "*"))
}

// worstFirst orders runs by how badly they ended: those that failed in whole or
// part, those that were canceled, those that go on, those that succeeded.
func worstFirst(a, b client.Status) int {
	order := func(s client.Status) int {
		switch s {
		case client.Failed, client.NoSuccess, client.PartialSuccess:
			return 0
		case client.CanceledRun:
			return 1
		case client.Success:
			return 3
		}
		return 2
	}
	return cmp.Compare(order(a), order(b))
}
