package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// withApps are the capabilities of a client with MCP Apps.
const withApps = `{"elicitation":{"form":{}},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`

// withoutApps are the capabilities of clients without them: the last one shows views of
// another kind.
var withoutApps = []string{
	`{}`, `{"elicitation":{"form":{}},"extensions":{"io.modelcontextprotocol/tasks":{}}}`,
	`{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=other"]}}}`,
}

// appRevisions are a revision that declares extensions in its session, and one that
// does so in each request.
var appRevisions = []string{testbed.Oldest, "2025-11-25", testbed.Newest}

// toolsByName returns what tools/list answers, by the names of the tools.
func toolsByName(t *testing.T, w *testbed.Wire) map[string]json.RawMessage {
	t.Helper()
	list := testbed.Result[struct{ Tools []json.RawMessage }](w, "tools/list", "")
	byName := map[string]json.RawMessage{}
	for _, tool := range list.Tools {
		var named struct{ Name string }
		if err := json.Unmarshal(tool, &named); err != nil {
			t.Fatal(err)
		}
		byName[named.Name] = tool
	}
	return byName
}

// metaOf returns the _meta of a tool as JSON, "" for none, and the tool without it.
func metaOf(t *testing.T, tool json.RawMessage) (meta, rest string) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(tool, &fields); err != nil {
		t.Fatal(err)
	}
	meta = string(fields["_meta"])
	delete(fields, "_meta")
	return meta, string(compact(t, fields))
}

// TestViewIsLinked: a client with MCP Apps finds the view by the tools that return a
// run, and the tool that only the view calls. All else is as for others.
func TestViewIsLinked(t *testing.T) {
	for _, version := range appRevisions {
		t.Run(version, func(t *testing.T) {
			bed := testbed.New(t, nil, nil)
			plain := toolsByName(t, bed.ConnectWire(version, "{}"))
			for _, capabilities := range []string{withApps, `{"extensions":{"io.modelcontextprotocol/ui":{}}}`} {
				list := toolsByName(t, bed.ConnectWire(version, capabilities))
				for name, tool := range list {
					want := map[string]string{
						"create_run": `{"ui":{"resourceUri":"ui://runs/run.html"}}`, "get_run": `{"ui":{"resourceUri":"ui://runs/run.html"}}`,
						"follow_run": `{"ui":{"visibility":["app"]}}`,
					}[name]
					meta, rest := metaOf(t, tool)
					if meta != want {
						t.Errorf("%s has _meta %s, want %s", name, meta, want)
					}
					if name == "follow_run" {
						continue
					}
					if _, others := metaOf(t, plain[name]); rest != others {
						t.Errorf("%s is %s, for others %s", name, rest, others)
					}
				}
				if len(list) != len(plain)+1 {
					t.Errorf("%d tools, %d for others", len(list), len(plain))
				}
			}
		})
	}
}

// TestNoAppsNoDifference: clients without MCP Apps find no trace of the view. Its tool and
// its page get, byte for byte, the answer of those that do not exist. That their lists are
// what they were is held by the golden files.
func TestNoAppsNoDifference(t *testing.T) {
	requests := []struct{ method, params string }{
		{"tools/list", ""}, {"resources/list", ""}, {"resources/templates/list", ""}, {"prompts/list", ""},
		{"tools/call", `"name":"NAME","arguments":{"runId":"` + unknownRun + `"}`},
		{"resources/read", `"uri":"ui://runs/NAME.html"`},
	}
	for _, version := range appRevisions {
		for _, capabilities := range withoutApps {
			t.Run(version+" "+capabilities, func(t *testing.T) {
				w := testbed.New(t, nil, nil).ConnectWire(version, capabilities)
				for _, r := range requests {
					m := w.Call(r.method, strings.ReplaceAll(strings.ReplaceAll(r.params, "NAME.html", "run.html"), "NAME", "follow_run"))
					got := string(compact(t, []any{m.Result, m.Error}))
					if !strings.Contains(r.params, "NAME") {
						for _, word := range []string{"follow_run", "resourceUri\"", "ui://", "visibility"} {
							if strings.Contains(got, word) {
								t.Errorf("%s tells of the view: %s", r.method, got)
							}
						}
						continue
					}
					other := w.Call(r.method, strings.ReplaceAll(r.params, "NAME", "nothing"))
					want := strings.ReplaceAll(string(compact(t, []any{other.Result, other.Error})), "nothing.html", "run.html")
					if m.Error == nil || got != want {
						t.Errorf("%s of the view: %s, want what an unknown one gets: %s", r.method, got, want)
					}
				}
			})
		}
	}
}

// TestServerAdvertisesApps to the clients that declare them, and to no others.
func TestServerAdvertisesApps(t *testing.T) {
	bed := testbed.New(t, nil, nil)
	advertised := func(w *testbed.Wire, method, params string) bool {
		result := testbed.Result[struct {
			Capabilities struct{ Extensions map[string]any }
		}](w, method, params)
		_, has := result.Capabilities.Extensions["io.modelcontextprotocol/ui"]
		return has
	}
	for _, capabilities := range append(withoutApps, withApps) {
		want := capabilities == withApps
		if got := advertised(bed.ConnectWire(testbed.Newest, capabilities), "server/discover", ""); got != want {
			t.Errorf("server/discover to %s: %t", capabilities, got)
		}
		w := testbed.New(t, nil, nil).ConnectWire("2025-11-25", "{}")
		initialize := fmt.Sprintf(`"protocolVersion":"2025-11-25","capabilities":%s,"clientInfo":{"name":"wire","version":"1"}`, capabilities)
		if got := advertised(w, "initialize", initialize); got != want {
			t.Errorf("initialize of %s: %t", capabilities, got)
		}
	}
}

// TestViewIsOfferedWithGetRun: the view shows what get_run shows. It only reads.
func TestViewIsOfferedWithGetRun(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*tools.Options)
		want   bool
	}{
		"read-only":         {func(o *tools.Options) { o.ReadOnly = true }, true},
		"only get_run":      {func(o *tools.Options) { o.Tools = []string{"get_run"} }, true},
		"only create_run":   {func(o *tools.Options) { o.Tools = []string{"create_run"} }, false},
		"get_run left out":  {func(o *tools.Options) { o.ExcludeTools = []string{"get_run"} }, false},
		"approvals are off": {func(o *tools.Options) { o.Approvals = tools.ApprovalsOff }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := testbed.New(t, tt.change, nil).ConnectWire(testbed.Newest, withApps)
			list := toolsByName(t, w)
			_, listed := list["follow_run"]
			linked := 0
			for _, tool := range list {
				if strings.Contains(string(tool), `"resourceUri":`) {
					linked++
				}
			}
			answer := w.Call("tools/call", `"name":"follow_run","arguments":{"runId":"`+unknownRun+`"}`)
			if listed != tt.want || (linked > 0) != tt.want || (answer.Error == nil) != tt.want {
				t.Errorf("listed %t, %d tools link the view, called: %+v", listed, linked, answer.Error)
			}
		})
	}
	if slices.Contains(tools.Names(), "follow_run") {
		t.Error("the operator can choose follow_run by its name")
	}
}
