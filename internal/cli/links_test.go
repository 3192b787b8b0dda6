package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"runs-mcp-server/internal/clients"
)

// TestInstallLinks holds that the links in README.md are made of what install writes. With
// -update it writes them.
func TestInstallLinks(t *testing.T) {
	const readme, begin, end = "../../README.md", "<!-- links:begin -->\n", "<!-- links:end -->"
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	links, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the links")
	}
	want := fmt.Sprintf("\n[Add to Cursor](%s) · [Add to VS Code](%s)\n\n", cursorLink(t), vscodeLink(t))
	switch {
	case links == want:
	case *update:
		if err := os.WriteFile(readme, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md differs; run: go test ./internal/cli -run TestInstallLinks -update\n%s", want)
	}
}

// linkedEntry returns what install writes for a client into an empty file.
func linkedEntry(t *testing.T, id string, into any) {
	t.Helper()
	f, err := clients.Machine{OS: "linux", Home: "/home/me", Env: func(string) string { return "" }}.Find(id, false)
	if err != nil {
		t.Fatal(err)
	}
	snippet, err := f.Snippet("runs", clients.Server{Command: Name, Args: []string{"--integrations", "*"}})
	if err == nil {
		err = json.Unmarshal([]byte(snippet), into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cursorLink returns the link of Cursor's documentation: the entry in base64.
func cursorLink(t *testing.T) string {
	var file struct {
		MCPServers struct{ Runs json.RawMessage }
	}
	linkedEntry(t, "cursor", &file)
	return "cursor://anysphere.cursor-deeplink/mcp/install?name=runs&config=" + url.QueryEscape(base64.StdEncoding.EncodeToString(compact(t, file.MCPServers.Runs)))
}

// vscodeLink returns the link that VS Code reads: one object of the name, the entry and
// the inputs, percent-encoded.
func vscodeLink(t *testing.T) string {
	var file struct {
		Servers struct{ Runs json.RawMessage }
		Inputs  json.RawMessage
	}
	linkedEntry(t, "vscode", &file)
	entry := compact(t, file.Servers.Runs)
	joined := fmt.Sprintf(`{"name":"runs","inputs":%s,%s`, compact(t, file.Inputs), entry[1:])
	if !json.Valid([]byte(joined)) {
		t.Fatal(joined)
	}
	// VS Code decodes it twice, so nothing in it may hold a percent sign.
	return "vscode:mcp/install?" + strings.ReplaceAll(url.QueryEscape(joined), "+", "%20")
}

func compact(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
