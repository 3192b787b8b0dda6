package resources

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/capability"
)

// One page of resources/list stays under 4 KB, for some clients show all of it to the
// model: so many runs, and so many bytes of JSON for each name and description.
const (
	listPage       = 14
	maxName        = 80
	maxDescription = 64
)

// AddHooks adds the caller's newest runs to resources/list, for mcp-go's own list is
// the same for everybody, and has resources/read accept addresses that match no
// template to the letter.
func AddHooks(hooks *server.Hooks, o Options) {
	h := &handlers{o}
	known := templates()
	hooks.AddBeforeReadResource(func(_ context.Context, _ any, req *mcp.ReadResourceRequest) {
		req.Params.URI = routableURI(known, req.Params.URI)
	})
	hooks.AddAfterListResources(func(ctx context.Context, _ any, req *mcp.ListResourcesRequest, result *mcp.ListResourcesResult) {
		shared := []mcp.Resource{} // an empty page is an array, not null
		if req.Params.Cursor == "" {
			shared = append(shared, integrationsResource())
			if capability.HasApps(ctx) {
				shared = append(shared, runViewResource())
			}
		}
		result.Resources, result.NextCursor = h.listRuns(ctx, req.Params.Cursor)
		result.Resources = append(shared, result.Resources...)
	})
}

// listRuns returns one page of runs as resources, and the cursor of the next. The
// pages are the API's own. A hook cannot fail a request: where the API cannot be read
// there are no runs, and the log says why.
func (h *handlers) listRuns(ctx context.Context, cursor mcp.Cursor) ([]mcp.Resource, mcp.Cursor) {
	page, ok := parseCursor(cursor)
	if !ok {
		return []mcp.Resource{}, ""
	}
	caller := client.CallerFrom(ctx)
	runs, err := h.API.ListRuns(ctx, caller, client.ListRunsQuery{UserID: caller.UserID, Page: page, PageSize: listPage})
	if err != nil {
		h.Log.Warn("the runs could not be listed as resources", "error", err)
		return []mcp.Resource{}, ""
	}
	out, v := make([]mcp.Resource, 0, len(runs.Runs)), h.view(caller)
	for i := range runs.Runs {
		run := v.Run(&runs.Runs[i])
		name := cmp.Or(cutToJSON(v.Line(runs.Runs[i].Intent, maxName), maxName), string(run.RunID))
		out = append(out, mcp.NewResource(scheme+string(run.RunID), name,
			mcp.WithResourceDescription(cutToJSON(run.Status+", created "+run.CreatedAt, maxDescription)),
			mcp.WithMIMEType("application/json")))
	}
	more := len(out) == listPage
	if runs.Total >= 0 {
		more = page*listPage < runs.Total
	}
	if !more {
		return out, ""
	}
	return out, newCursor(page + 1)
}

// cutToJSON shortens a text to so many bytes of JSON, in which one character may take
// six.
func cutToJSON(text string, most int) string {
	size := func(s string) int { data, _ := json.Marshal(s); return len(data) } // a string always marshals
	if size(text) <= most {
		return text
	}
	for text != "" && size(text+"…") > most {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return text + "…"
}

// newCursor returns the cursor of a page. mcp-go refuses cursors that are no base64.
func newCursor(page int) mcp.Cursor {
	return mcp.Cursor(base64.StdEncoding.EncodeToString([]byte("page " + strconv.Itoa(page))))
}

// parseCursor returns the page of a cursor that [newCursor] made; no cursor is page 1.
func parseCursor(cursor mcp.Cursor) (int, bool) {
	if cursor == "" {
		return 1, true
	}
	text, err := base64.StdEncoding.DecodeString(string(cursor))
	if err != nil {
		return 0, false
	}
	digits, ok := strings.CutPrefix(string(text), "page ")
	page, err := strconv.Atoi(digits)
	return page, ok && err == nil && page >= 1 && page <= 1000
}
