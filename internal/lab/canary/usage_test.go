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
	for _, args := range [][]string{
		{"tools", "--pass-through", writePassThroughFile(t, c), "--integrations=*", "--allow-pass-through"},
		{"tools", "--pass-through", file(map[string]any{"ops": mixed})}, {"tools", "--pass-through", file(map[string]any{"ops": strange})},
		{"tools", "--pass-through", file(c.canaryFor("a file of one word"))}, {"tools", "--pass-through", c.canaryFor("a secret for a file")},
		{"--api-key-file", c.canaryFor("a key for a file")}, {"http", "--api-key-file", c.canaryFor("a key for a file, over HTTP")},
		{"--api-url", "https://user:" + c.canaryFor("password in the address") + "@api.test"}, {"--api-url", "https://api.test?key=" + c.canaryFor("key in the address")},
	} {
		out := &testbed.Buffer{}
		cli.Run(t.Context(), append(args, "--log-level=debug"), func(name string) string { return map[string]string{"TR_API_KEY": key}[name] }, strings.NewReader(""), out, out)
		if out.String() == "" {
			t.Errorf("%s printed nothing", args[:1])
		}
		newScanner(c).requireNone(t, "what "+strings.Join(args[:2], " ")+" prints", out.String())
	}
}
