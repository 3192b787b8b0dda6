package repo

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
)

// originFile says where the project is.
const originFile = "packaging/origin.json"

// TestOrigin holds that no other file says where the project is.
func TestOrigin(t *testing.T) {
	var origin struct{ Host, Owner, ImageHost string }
	readJSON(t, originFile, &origin)
	if origin.Host == "" || origin.Owner == "" || origin.ImageHost == "" {
		t.Fatalf("%s: %+v", originFile, origin)
	}
	labels := strings.Split(origin.Host, ".")
	slices.Reverse(labels)
	names := []string{
		origin.Host + "/" + origin.Owner, origin.ImageHost + "/" + strings.ToLower(origin.Owner),
		"io.github." + origin.Owner, strings.Join(labels, ".") + "/runs-mcp-server",
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains([]string{".git", "dist", "runs-mcp-server"}, path) || d.Name() == "node_modules" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() || filepath.ToSlash(path) == originFile {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, name := range names {
			if strings.Contains(string(text), name) {
				t.Errorf("%s names %s: only %s may, and what needs it is made by packaging", path, name, originFile)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPluginVersion holds that the plugin, which clients read from the repository, has
// the version of the program and starts that version.
func TestPluginVersion(t *testing.T) {
	var plugin struct{ Version string }
	readJSON(t, "packaging/claude/.claude-plugin/plugin.json", &plugin)
	if plugin.Version != cli.Version {
		t.Errorf("plugin.json has version %s, the program has %s", plugin.Version, cli.Version)
	}
	var servers struct {
		MCPServers map[string]struct{ Args []string }
	}
	readJSON(t, "packaging/claude/.mcp.json", &servers)
	if started := "runs-mcp-server@" + cli.Version; !slices.Contains(servers.MCPServers["runs"].Args, started) {
		t.Errorf(".mcp.json does not start %s: %q", started, servers.MCPServers["runs"].Args)
	}
}

func readJSON(t *testing.T, path string, value any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
