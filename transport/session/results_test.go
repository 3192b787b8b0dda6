package session

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
)

// TestMarshalResult: the results that are put together by hand are those of
// encoding/json, to the byte but for the escapes of HTML, which they lack.
func TestMarshalResult(t *testing.T) {
	raw := json.RawMessage(`{"a":"<&>","b":["é\u2028 \\"]}`)
	meta := mcp.NewMetaFromMap(map[string]any{"content": []any{}, "z": 1})
	text := mcp.NewTextContent(string(raw) + "\n<b>\x00\xff")
	tool := mcp.NewToolWithRawSchema("t", "a <b> & c", json.RawMessage(`{"type":"object","x":"<"}`))
	tool.RawOutputSchema = raw
	list := mcp.ListToolsResult{Tools: []mcp.Tool{tool, tool}}
	list.NextCursor, list.ResultType, list.Meta = "]}", mcp.ResultTypeComplete, meta
	for name, result := range map[string]any{
		"plain":         &mcp.CallToolResult{Content: []mcp.Content{text}, StructuredContent: raw},
		"all members":   &mcp.CallToolResult{Result: mcp.Result{Meta: meta, ResultType: mcp.ResultTypeComplete}, Content: []mcp.Content{text}, StructuredContent: raw, IsError: true},
		"two texts":     &mcp.CallToolResult{Content: []mcp.Content{text, text}, StructuredContent: raw},
		"not raw":       &mcp.CallToolResult{Content: []mcp.Content{text}, StructuredContent: map[string]any{"a": 1}},
		"text alone":    &mcp.CallToolResult{Content: []mcp.Content{text}},
		"several lines": &mcp.CallToolResult{Content: []mcp.Content{text}, StructuredContent: json.RawMessage("{\n}")},
		"raw":           &mcp.CallToolResult{Content: []mcp.Content{text}, StructuredContent: raw, RawStructuredContent: json.RawMessage(`{"b":1}`)},
		"a question":    &mcp.CallToolResult{Content: []mcp.Content{text}, StructuredContent: raw, MultiRoundTripResult: mcp.MultiRoundTripResult{RequestState: "s"}},
		"no tools":      mcp.ListToolsResult{Tools: []mcp.Tool{}},
		"tools":         list,
		"other":         mcp.EmptyResult{},
	} {
		got, err := marshalResult(result)
		if err != nil {
			t.Fatal(err)
		}
		want, err := rawjson.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(unescapeHTML(got), unescapeHTML(want)) {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
}

func unescapeHTML(text []byte) []byte {
	for escape, letter := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"} {
		text = bytes.ReplaceAll(text, []byte(escape), []byte(letter))
	}
	return text
}
