package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/memory"
)

// toolsCommand prints the tools that these flags offer.
type toolsCommand struct{ serverFlags }

// Run prints the answer to tools/list, indented.
func (c *toolsCommand) Run(p *process) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	log, err := c.newLogger(o.Secrets, p)
	if err != nil {
		return err
	}
	s, err := c.newServer(o, memory.Parts{}, log, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	answer, err := json.Marshal(s.MCP(Name, Version).HandleMessage(p.ctx, json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)))
	if err != nil {
		return err
	}
	var message struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answer, &message); err != nil {
		return err
	}
	out := json.NewEncoder(p.out)
	out.SetIndent("", "  ")
	return out.Encode(message.Result)
}

// versionCommand prints which build this is.
type versionCommand struct{}

// Run prints version, commit, Go version and MCP revisions.
func (versionCommand) Run(p *process) error {
	revisions := slices.Sorted(slices.Values(mcp.ValidProtocolVersions))
	_, err := fmt.Fprintf(p.out, "%s %s\ncommit %s\n%s %s/%s\nMCP %s\n", Name, Version, buildCommit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(revisions, ", "))
	return err
}

// buildCommit returns the commit that the program was built from, "unknown" if the
// build did not record it.
func buildCommit() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	switch revision := settings["vcs.revision"]; {
	case revision == "":
		return "unknown"
	case settings["vcs.modified"] == "true":
		return revision + ", modified"
	default:
		return revision
	}
}
