package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// TestDemoQuestion holds that the demo takes yes and no as decisions, asks again after
// any other line, and takes an empty line as no decision.
func TestDemoQuestion(t *testing.T) {
	for typed, want := range map[string]any{"y": "approve", "no": "deny", "maybe\nyes": "approve", "": nil} {
		var out bytes.Buffer
		d := &demo{screen: &screen{out: &out}, lines: readLines(t.Context(), strings.NewReader(typed+"\n"))}
		got, err := d.Elicit(t.Context(), mcp.ElicitationRequest{Params: mcp.ElicitationParams{Message: "It would call x.\nFor y."}})
		if err != nil {
			t.Fatal(err)
		}
		fields, _ := got.Content.(map[string]any)
		if (got.Action == mcp.ElicitationResponseActionAccept) != (want != nil) || fields["decision"] != want {
			t.Errorf("%q: %+v", typed, got)
		}
		if !strings.Contains(out.String(), "It would call x.") || !strings.Contains(out.String(), "For y.") {
			t.Errorf("printed %q", out.String())
		}
	}
}
