package tools

import (
	"slices"
	"testing"
)

// TestNames holds that Names lists the tools of the table, in its order: a tool without a
// name there is never offered.
func TestNames(t *testing.T) {
	var table []string
	for _, tool := range allTools() {
		table = append(table, tool.name)
	}
	if names := Names(); !slices.Equal(names, table) {
		t.Errorf("Names() = %q, want the names of the table: %q", names, table)
	}
}
