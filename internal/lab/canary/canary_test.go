package canary

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
)

// TestCanaries puts secrets in every place there is, lets the API say them in
// every disguise, and looks for them in every byte that leaves, over both
// transports, in both eras, whoever decides.
func TestCanaries(t *testing.T) {
	a := newLeakyAPI(t)
	flags := []string{"--api-url", a.URL, "--log-level=debug", "--user-id=user-1", "--integrations=*", "--allow-pass-through", "--pass-through", operatorsFile(t, a.canaries)}
	human := append(flags, "--approvals=human")
	agent := append(flags[:len(flags):len(flags)], "--approvals=agent", "--auth-links=off", "--no-ask-while-waiting")
	outlets := map[string]*outlet{
		"stdio, old, human": overStdio(a.canary("key of an old person's stdio"), testbed.Oldest, human...),
		"stdio, new, agent": overStdio(a.canary("key of a new agent's stdio"), testbed.Newest, agent...),
		"HTTP, new, human":  overHTTP(t, a.canary("key of a new person's HTTP"), testbed.Newest, human...),
		"HTTP, old, agent":  overHTTP(t, a.canary("key of an old agent's HTTP"), "2025-11-25", agent...),
	}
	t.Run("clients", func(t *testing.T) {
		for name, o := range outlets {
			o.human = strings.HasSuffix(name, "human")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				(&journey{outlet: o, t: t, api: a}).all()
			})
		}
	})
	s := newScanner(a.canaries)
	if len(a.taken) < 28 || slices.ContainsFunc(a.taken, func(d string) bool { return d != "approve" }) {
		t.Errorf("tokens were sent to %q", a.taken)
	}
	s.look("approval link", "/v1/runs/approval")
	t.Run("said", func(t *testing.T) {
		t.Parallel()
		a.saidAll(t, s)
	})
	for name, o := range outlets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.check(t, s)
		})
	}
}

// operatorsFile writes a pass-through file with a canary in every place.
func operatorsFile(t *testing.T, c *canaries) string {
	data, err := json.Marshal(map[string]any{
		"ops-aws":  passThrough(c, "operator", "aws"),
		"ops-role": passThrough(c, "operator", "role"),
		"ops-okta": passThrough(c, "operator", "okta"),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pass-through.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// passThrough is pass-through data of one credential type with a canary in
// every place.
func passThrough(c *canaries, whose, kind string) map[string]any {
	secret := func(place string) string { return c.canary("pass-through: " + whose + "'s " + kind + " " + place) }
	values := map[string]any{}
	for _, name := range map[string][]string{
		"aws": {"accessKeyId", "secretAccessKey", "sessionToken"}, "role": {"roleArn", "externalId"},
		"okta": {"clientId", "kid", "privateKey", "oauthTokenUrl", "scope", "host"},
	}[kind] {
		values[name] = secret(name)
	}
	if kind == "okta" {
		values["privateKey"] = "-----BEGIN PRIVATE KEY-----\n" + secret("privateKey") + "\n-----END PRIVATE KEY-----\n"
	}
	return map[string]any{
		"headers": map[string]any{"Authorization": "Bearer " + secret("bearer"), "Cookie": "theme=dark; sid=" + secret("cookie"), "X-Nested": map[string]any{"in": []any{secret("header")}}},
		"query":   map[string]any{"api_key": secret("query"), "number": 1234567890123456},
		"values":  values,
	}
}
