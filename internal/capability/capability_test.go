package capability

import (
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestCanElicit(t *testing.T) {
	yes := &struct{}{}
	for _, tt := range []struct {
		declared  *mcp.ElicitationCapability
		form, url bool
	}{
		{nil, false, false},
		{&mcp.ElicitationCapability{}, true, false},
		{&mcp.ElicitationCapability{Form: yes}, true, false},
		{&mcp.ElicitationCapability{URL: yes}, false, true},
		{&mcp.ElicitationCapability{Form: yes, URL: yes}, true, true},
	} {
		for mode, want := range map[string]bool{"": tt.form, mcp.ElicitationModeForm: tt.form, mcp.ElicitationModeURL: tt.url} {
			if got := CanElicit(tt.declared, mode); got != want {
				t.Errorf("%+v, mode %q: %t, want %t", tt.declared, mode, got, want)
			}
		}
	}
}
