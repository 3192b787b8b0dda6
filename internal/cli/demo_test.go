package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// TestDemoAsks: what is typed is the decision, anything but yes and no is none.
func TestDemoAsks(t *testing.T) {
	for typed, want := range map[string]any{"y": "approve", "no": "deny", "maybe\nyes": "approve", "": nil} {
		var out bytes.Buffer
		d := &demo{out: &out, lines: readLines(t.Context(), strings.NewReader(typed+"\n"))}
		got, err := d.Elicit(t.Context(), mcp.ElicitationRequest{Params: mcp.ElicitationParams{Message: "It would call x.\nFor y."}})
		if err != nil {
			t.Fatal(err)
		}
		fields, _ := got.Content.(map[string]any)
		if (got.Action == mcp.ElicitationResponseActionAccept) != (want != nil) || fields["decision"] != want {
			t.Errorf("%q: %+v", typed, got)
		}
		if !strings.Contains(out.String(), "It would call x.") || !strings.Contains(out.String(), "For y.") {
			t.Errorf("asked %q", out.String())
		}
	}
}
