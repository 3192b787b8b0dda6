package resources

import (
	"context"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
)

// maxCompletions is the protocol's bound on the values of one completion.
const maxCompletions = 100

// Completer completes the ids that a person types.
type Completer struct{ *handlers }

// Completions returns a Completer. For the templates it completes runId.
func Completions(o Options) *Completer { return &Completer{&handlers{o}} }

// CompleteResourceArgument implements [server.ResourceCompletionProvider].
func (c *Completer) CompleteResourceArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	if argument.Name != "runId" {
		return &mcp.Completion{Values: []string{}}, nil
	}
	return c.RunIDs(ctx, argument.Value, "", nil)
}

// RunIDs returns the ids of the caller's newest runs that begin with what was typed:
// of one status, "" for any. They come in the order that is given, and else the newest
// first.
func (c *Completer) RunIDs(ctx context.Context, typed string, status client.Status, order func(a, b client.Status) int) (*mcp.Completion, error) {
	caller := client.CallerFrom(ctx)
	page, err := c.API.ListRuns(ctx, caller, client.ListRunsQuery{UserID: caller.UserID, Status: status, Page: 1, PageSize: maxCompletions})
	if err != nil {
		return nil, c.shownError(caller, err)
	}
	if order != nil {
		slices.SortStableFunc(page.Runs, func(a, b client.Run) int { return order(a.Status, b.Status) })
	}
	out := &mcp.Completion{Values: []string{}, HasMore: len(page.Runs) == maxCompletions}
	for _, run := range page.Runs {
		if status != "" && run.Status != status {
			continue // some APIs ignore the filter
		}
		if run.RunID.Valid() && strings.HasPrefix(string(run.RunID), strings.ToLower(typed)) {
			out.Values = append(out.Values, string(run.RunID))
		}
	}
	return out, nil
}

// IntegrationIDs returns the ids of the integrations that a run may use and that
// begin with what was typed.
func (c *Completer) IntegrationIDs(ctx context.Context, typed string) ([]string, error) {
	caller := client.CallerFrom(ctx)
	usable, _, err := c.usableIntegrations(ctx, caller)
	if err != nil && !client.Lacking(err) {
		return nil, c.shownError(caller, err)
	}
	var out []string
	for _, i := range usable {
		if strings.HasPrefix(i.CustomerIntegrationID, typed) {
			out = append(out, i.CustomerIntegrationID)
		}
	}
	return out, nil
}
