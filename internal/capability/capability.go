// Package capability reads what an MCP client says it can do.
package capability

import "github.com/mark3labs/mcp-go/mcp"

// TasksExtension is what a client of 2026-07-28 declares that has tasks.
const TasksExtension = "io.modelcontextprotocol/tasks"

// SkillsExtension is what a client of 2026-07-28 declares that has skills.
const SkillsExtension = "io.modelcontextprotocol/skills"

// CanElicit reports whether a client can ask its person in a mode. nil: the
// client declares no elicitation. An empty capability means the form mode alone
// (2025-11-25, and all there was before it).
func CanElicit(declared *mcp.ElicitationCapability, mode string) bool {
	switch {
	case declared == nil:
		return false
	case mode == mcp.ElicitationModeURL:
		return declared.URL != nil
	}
	return declared.Form != nil || declared.URL == nil
}
