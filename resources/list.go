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
)

// One page of resources/list stays under 4 KB, for some clients put all of it
// before the model: so many runs, and so many bytes of JSON for the name and for
// the description of each.
const (
	listPage       = 14
	maxName        = 80
	maxDescription = 64
)

// AddHooks makes resources/list tell the caller's newest runs too, for mcp-go's
// own list is the same for everybody, and resources/read understand addresses
// that match no template to the letter.
func AddHooks(h *server.Hooks, o Options) {
	s := &set{o}
	known := templates()
	h.AddBeforeReadResource(func(_ context.Context, _ any, req *mcp.ReadResourceRequest) {
		req.Params.URI = routed(known, req.Params.URI)
	})
	h.AddAfterListResources(func(ctx context.Context, _ any, req *mcp.ListResourcesRequest, result *mcp.ListResourcesResult) {
		shared := []mcp.Resource{} // an empty page is no null
		if req.Params.Cursor == "" {
			shared = append(shared, integrationsResource())
		}
		result.Resources, result.NextCursor = s.list(ctx, req.Params.Cursor)
		result.Resources = append(shared, result.Resources...)
	})
}

// list returns one page of runs as resources, and the cursor of the next. The
// pages are the API's own. A hook cannot fail a request, so where the API cannot
// be read there are none, and the log says why.
func (s *set) list(ctx context.Context, cursor mcp.Cursor) ([]mcp.Resource, mcp.Cursor) {
	page, ok := pageOf(cursor)
	if !ok {
		return []mcp.Resource{}, ""
	}
	caller := client.CallerFrom(ctx)
	runs, err := s.API.ListRuns(ctx, caller, client.ListRunsQuery{UserID: caller.UserID, Page: page, PageSize: listPage})
	if err != nil {
		s.Log.Warn("the runs could not be listed as resources", "error", err)
		return []mcp.Resource{}, ""
	}
	out, v := make([]mcp.Resource, 0, len(runs.Runs)), s.view(caller)
	for i := range runs.Runs {
		run := v.Run(&runs.Runs[i])
		name := cmp.Or(cut(v.Line(runs.Runs[i].Intent, maxName), maxName), string(run.RunID))
		out = append(out, mcp.NewResource(scheme+string(run.RunID), name,
			mcp.WithResourceDescription(cut(run.Status+", created "+run.CreatedAt, maxDescription)),
			mcp.WithMIMEType("application/json")))
	}
	more := len(out) == listPage
	if runs.Total >= 0 {
		more = page*listPage < runs.Total
	}
	if !more {
		return out, ""
	}
	return out, cursorOf(page + 1)
}

// cut shortens a text to so many bytes of JSON, in which one character may take
// six.
func cut(text string, most int) string {
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

// cursorOf makes a cursor: mcp-go refuses those that are no base64.
func cursorOf(page int) mcp.Cursor {
	return mcp.Cursor(base64.StdEncoding.EncodeToString([]byte("page " + strconv.Itoa(page))))
}

// pageOf reads a cursor of ours; no cursor is page 1.
func pageOf(cursor mcp.Cursor) (int, bool) {
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
