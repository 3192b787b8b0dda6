package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// skill is an entry of skills/list.
type skill struct {
	URI         string
	FrontMatter map[string]any
	Resources   []struct {
		URI, Digest string
		Size        int
	}
}

// sendSkills sends a request of 2026-07-28 that declares skills, and decodes its result.
func sendSkills(t *testing.T, c *program.Tenant, method, name string, headers map[string]string, result any) {
	t.Helper()
	message := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"uri":%q,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/skills":{}}}}}}`, method, name)
	all := map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
	if method == "resources/read" {
		all["Mcp-Name"] = name
	}
	for header, value := range headers {
		all[header] = value
	}
	status, body, _ := c.Send(t, "", message, all)
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || json.Unmarshal(answer.Result, result) != nil {
		t.Fatalf("%s %s: status %d, %v: %s", method, name, status, err, body)
	}
}

// TestSkills holds that the prompts are skills as a host wants them: each entry is what
// the file says, by digest, size, name and front matter; and that a request that may only
// read is offered no skill that starts a run.
func TestSkills(t *testing.T) {
	url := program.ServeHTTP(t, t.Output(), nil, "--sandbox")
	c := &program.Tenant{URL: url, Key: sandbox.DefaultKey}
	for _, tt := range []struct {
		headers map[string]string
		want    []string
	}{
		{nil, []string{"run-and-watch", "review-approvals", "diagnose-run"}},
		{map[string]string{"X-MCP-Readonly": "true"}, []string{"review-approvals", "diagnose-run"}},
	} {
		var list struct{ Skills []skill }
		sendSkills(t, c, "skills/list", "", tt.headers, &list)
		var names []string
		for _, s := range list.Skills {
			names = append(names, s.FrontMatter["name"].(string))
			var one struct{ Skill skill }
			sendSkills(t, c, "skills/get", s.URI, tt.headers, &one)
			if fmt.Sprint(one.Skill) != fmt.Sprint(s) {
				t.Errorf("skills/get says %v, skills/list %v", one.Skill, s)
			}
			checkSkill(t, c, s, tt.headers)
		}
		if !slices.Equal(names, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.headers, names, tt.want)
		}
	}
}

// checkSkill reads a skill and compares it with its entry.
func checkSkill(t *testing.T, c *program.Tenant, s skill, headers map[string]string) {
	t.Helper()
	var read struct {
		Contents []struct{ URI, MIMEType, Text string }
	}
	sendSkills(t, c, "resources/read", s.URI, headers, &read)
	text := read.Contents[0].Text
	var frontMatter map[string]any
	parts := strings.SplitN(text, "---\n", 3)
	if err := yaml.Unmarshal([]byte(parts[1]), &frontMatter); err != nil || fmt.Sprint(frontMatter) != fmt.Sprint(s.FrontMatter) {
		t.Errorf("%s: the front matter is %v, the entry's %v: %v", s.URI, frontMatter, s.FrontMatter, err)
	}
	file := s.Resources[0]
	if len(s.Resources) != 1 || file.URI != s.URI || file.Size != len(text) || file.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) ||
		s.URI != fmt.Sprintf("skill://%s/SKILL.md", s.FrontMatter["name"]) || read.Contents[0].MIMEType != "text/markdown" {
		t.Errorf("%s: the entry is %+v, the file\n%s", s.URI, s, text)
	}
	if headers["X-MCP-Readonly"] != "" && (strings.Contains(text, "call approve") || strings.Contains(text, "create_run")) {
		t.Errorf("%s names tools that there are not:\n%s", s.URI, text)
	}
}
