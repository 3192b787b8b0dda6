package tools_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/rawjson"
	"runs-mcp-server/tools"
)

// TestToolsDocument holds docs/tools.md to the tools that the program offers.
// go test ./tools -run TestToolsDocument -update writes it.
func TestToolsDocument(t *testing.T) {
	var lists []toolList
	for _, approvals := range []tools.Approvals{tools.ApprovalsHuman, tools.ApprovalsAgent, tools.ApprovalsOff} {
		lists = append(lists, readTools(t, approvals))
	}
	var page bytes.Buffer
	page.WriteString("# Tools\n\n`go test ./tools -run TestToolsDocument -update` writes this page. Do not edit it.\n")
	writeToolTable(t, &page, lists[0])
	writeSizeTable(t, &page, lists)
	for _, tool := range lists[0].Tools {
		writeTool(t, &page, tool, lists[1:])
	}
	writeViewTool(t, &page)
	checkFile(t, "../docs/tools.md", page.Bytes())
}

// toolList is the answer to tools/list under one --approvals.
type toolList struct {
	approvals tools.Approvals
	answer    json.RawMessage
	Tools     []listedTool
}

// listedTool is what a model sees of a tool.
type listedTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
	raw         json.RawMessage // all that the client gets
}

// UnmarshalJSON also keeps the text.
func (tool *listedTool) UnmarshalJSON(data []byte) error {
	type plain listedTool
	tool.raw = bytes.Clone(data)
	return json.Unmarshal(data, (*plain)(tool))
}

// readTools asks the program for its tools.
func readTools(t *testing.T, approvals tools.Approvals) toolList {
	t.Helper()
	var out, errs bytes.Buffer
	noEnvironment := func(string) string { return "" }
	if code := cli.Run(t.Context(), []string{"tools", "--approvals", string(approvals)}, noEnvironment, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatal(errs.String())
	}
	list := toolList{approvals: approvals, answer: out.Bytes()}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// compactSize returns the bytes of a value as JSON, without spaces and HTML escapes.
func compactSize(t *testing.T, v any) int {
	t.Helper()
	var plain any
	if err := json.Unmarshal(compact(t, v), &plain); err != nil {
		t.Fatal(err)
	}
	text, err := rawjson.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

// writeToolTable writes a row for each tool, with the first sentence of its description.
func writeToolTable(t *testing.T, page *bytes.Buffer, list toolList) {
	t.Helper()
	page.WriteString("\n| tool | arguments (`*` required) | what for |\n|---|---|---|\n")
	for _, tool := range list.Tools {
		what, _, _ := strings.Cut(tool.Description, ". ")
		fmt.Fprintf(page, "| [`%s`](#%[1]s) | %s | %s |\n", tool.Name, argumentsOf(t, tool), strings.TrimSuffix(what, "."))
	}
}

// argumentsOf lists the arguments of a tool in the order of its schema. A star marks
// those that are required.
func argumentsOf(t *testing.T, tool listedTool) string {
	t.Helper()
	var schema struct {
		Properties json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(tool.InputSchema, &schema); err != nil {
		t.Fatal(err)
	}
	var names []string
	for quoted := range rawjson.Members(schema.Properties) {
		name, _ := rawjson.String(quoted)
		shown := "`" + name + "`"
		if slices.Contains(schema.Required, name) {
			shown += "\\*"
		}
		names = append(names, shown)
	}
	return strings.Join(names, ", ")
}

// The tools must take less than these bytes: see [TestSizes].
const (
	// maxSeen bounds the tools as a model sees them. So many bytes of ours take about as
	// many tokens as bridgeSeen bytes of the bridge.
	maxSeen = 5_600
	// maxToolsList bounds tools/list. Five tools take less than 8,000 bytes, and one more
	// that returns a RunResult about 1,100.
	maxToolsList = 9_500
)

// What a generic bridge needs for the same API, in bytes. .ci/compare/run measures it.
const (
	bridgeSeen      = 5_951
	bridgeToolsList = 6_708
)

// writeSizeTable writes what the tools cost. .ci/compare/compare.mjs reads the first row
// and the bridge's.
func writeSizeTable(t *testing.T, page *bytes.Buffer, lists []toolList) {
	t.Helper()
	page.WriteString(`
## Size

In bytes of compact JSON. A model sees names, descriptions and input schemas; ` + "`tools/list`" + ` also has titles, hints and output schemas.

| | as a model sees them | ` + "`tools/list`" + ` |
|---|--:|--:|
`)
	row := func(what string, seen, list int) {
		fmt.Fprintf(page, "| %s | %s | %s |\n", what, withComma(seen), withComma(list))
	}
	for _, list := range lists {
		row("`--approvals="+string(list.approvals)+"`", compactSize(t, list.Tools), compactSize(t, list.answer))
	}
	row("less than (`TestSizes`)", maxSeen, maxToolsList)
	row("a [generic bridge](../README.md#size)", bridgeSeen, bridgeToolsList)
	page.WriteString("\nA model must pay less than through the bridge, whose texts have more bytes per token. The bound of `tools/list` is set for six tools:\n" +
		"one that returns a run takes about 1,100 bytes.\n")
}

// withComma formats a number from 1,000 to 999,999.
func withComma(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }

// writeTool writes a tool as clients get it by default, and as they get it where
// --approvals changes it.
func writeTool(t *testing.T, page *bytes.Buffer, tool listedTool, others []toolList) {
	t.Helper()
	fmt.Fprintf(page, "\n## %s\n", tool.Name)
	writeJSON(t, page, tool.raw)
	for _, list := range others {
		i := slices.IndexFunc(list.Tools, func(other listedTool) bool { return other.Name == tool.Name })
		if i < 0 {
			fmt.Fprintf(page, "\nThere is no such tool with `--approvals=%s`.\n", list.approvals)
		} else if other := list.Tools[i]; !bytes.Equal(other.raw, tool.raw) {
			fmt.Fprintf(page, "\nWith `--approvals=%s`:\n", list.approvals)
			writeJSON(t, page, other.raw)
		}
	}
}

// writeViewTool writes what clients with MCP Apps get beside that.
func writeViewTool(t *testing.T, page *bytes.Buffer) {
	t.Helper()
	list := toolsByName(t, testbed.New(t, nil, nil).ConnectWire(testbed.Newest, withApps))
	meta, _ := metaOf(t, list["get_run"])
	fmt.Fprintf(page, "\n## follow_run, for the live view\n\nOnly clients with MCP Apps get this tool ([decision 17](decisions/0017-a-view-that-shows.md)). Their host keeps it from the model. "+
		"For them `create_run` and\n`get_run` have the `_meta` `%s`; all else is as above.\n", meta)
	writeJSON(t, page, list["follow_run"])
}

func writeJSON(t *testing.T, page *bytes.Buffer, text []byte) {
	t.Helper()
	page.WriteString("\n```json\n")
	if err := json.Indent(page, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	page.WriteString("\n```\n")
}
