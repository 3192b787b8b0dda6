package resources_test

import (
	"encoding/json"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
)

// TestRunView: clients with MCP Apps read the page, with a policy that allows no domain.
// To others there is no such resource.
func TestRunView(t *testing.T) {
	const withApps = `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`
	for _, version := range []string{testbed.Oldest, "2025-11-25", testbed.Newest} {
		bed := testbed.New(t, nil, nil)
		w := bed.ConnectWire(version, withApps)
		read := testbed.Result[struct {
			Contents []struct {
				URI, MIMEType, Text string
				Meta                json.RawMessage `json:"_meta"`
			}
		}](w, "resources/read", `"uri":"ui://runs/run.html"`)
		const meta = `{"ui":{"csp":{"baseUriDomains":[],"connectDomains":[],"frameDomains":[],"resourceDomains":[]},"prefersBorder":true}}`
		if c := read.Contents; len(c) != 1 || c[0].URI != "ui://runs/run.html" || c[0].MIMEType != "text/html;profile=mcp-app" || !strings.HasPrefix(c[0].Text, "<!doctype html>") || string(c[0].Meta) != meta {
			t.Errorf("%s: got %+v", version, c)
		}
		if list := w.Call("resources/list", ""); !strings.Contains(string(list.Result), `"_meta":`+meta) || !strings.Contains(string(list.Result), `"uri":"ui://runs/run.html"`) {
			t.Errorf("%s: resources/list lacks the page: %s", version, list.Result)
		}
		for _, capabilities := range []string{`{}`, `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=other"]}}}`} {
			w := bed.ConnectWire(version, capabilities)
			if m := w.Call("resources/read", `"uri":"ui://runs/run.html"`); m.Error == nil {
				t.Errorf("%s: a client with %s read the page", version, capabilities)
			}
			if list := w.Call("resources/list", ""); strings.Contains(string(list.Result), "ui://") {
				t.Errorf("%s: resources/list of a client with %s has the page: %s", version, capabilities, list.Result)
			}
		}
	}
}
