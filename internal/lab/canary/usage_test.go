package canary

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/testbed"
)

// TestCanariesInUsage holds that the program prints no secret when a person puts one
// into the wrong flag, file or address.
func TestCanariesInUsage(t *testing.T) {
	c := &canarySet{}
	key := c.canaryFor("key in the environment")
	file := func(content any) string {
		data, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "file.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mixed := passThroughData(c, "operator", "aws")
	mixed["values"].(map[string]any)["roleArn"] = c.canaryFor("roleArn among aws")
	strange := passThroughData(c, "operator", "role")
	strange["values"].(map[string]any)["password"] = c.canaryFor("unknown field")
	home := t.TempDir() // of a person whose clients have secrets everywhere
	if err := os.MkdirAll(filepath.Join(home, ".gemini"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		".claude.json": `{"mcpServers": {"runs": {"command": "runs-mcp-server", "args": ["--user-id", ` + quote(c.canaryFor("argument of a client")) + `, "--nonsense=` + c.canaryFor("flag of a client") + `"],
			"env": {"TR_API_KEY": ` + quote(c.canaryFor("key of a client")) + `}}, "runs-mcp-server": {"url": "http://user:` + c.canaryFor("password of a client") + `@127.0.0.1:1/mcp?k=` + c.canaryFor("query of a client") + `", "headers": {"x-api-key": ` + quote(c.canaryFor("header of a client")) + `}}}}`,
		".gemini/settings.json": `{"mcpServers": {"runs": {"env": {"TR_API_KEY": ` + c.canaryFor("key without quotes") + `}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(home, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"doctor", "--api-url", "https://user:" + c.canaryFor("password in the address of doctor") + "@api.test"}, {"doctor", "--api-url", "http://127.0.0.1:1"},
		{"doctor", "--api-key-file", c.canaryFor("a key for a file, for doctor")}, {"doctor", "--json", "--pass-through", file(map[string]any{"ops": mixed})},
		{"call", "get_run", "--args", `{"runId": ` + c.canaryFor("broken JSON")}, {"call", "get_run", "--args", "@" + c.canaryFor("a secret for a file of arguments"), "--sandbox"},
		{"tools", "--pass-through", writePassThroughFile(t, c), "--integrations=*", "--allow-pass-through"},
		{"tools", "--pass-through", file(map[string]any{"ops": mixed})}, {"tools", "--pass-through", file(map[string]any{"ops": strange})},
		{"tools", "--pass-through", file(c.canaryFor("a file of one word"))}, {"tools", "--pass-through", c.canaryFor("a secret for a file")},
		{"--api-key-file", c.canaryFor("a key for a file")}, {"http", "--api-key-file", c.canaryFor("a key for a file, over HTTP")},
		{"--api-url", "https://user:" + c.canaryFor("password in the address") + "@api.test"}, {"--api-url", "https://api.test?key=" + c.canaryFor("key in the address")},
	} {
		out := &testbed.Buffer{}
		cli.Run(t.Context(), append(args, "--log-level=debug"), func(name string) string { return map[string]string{"TR_API_KEY": key, "HOME": home}[name] }, strings.NewReader(""), out, out)
		if out.String() == "" {
			t.Errorf("%s printed nothing", args[:1])
		}
		newScanner(c).requireNone(t, "what "+strings.Join(args[:2], " ")+" prints", out.String())
	}
}

// quote returns a text as JSON.
func quote(text string) string { return `"` + text + `"` }
