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

// TestCanaries holds that no secret leaves the server: not in messages to a client,
// not in the log, the audit log, metrics or spans, over both transports, in stateful and stateless revisions, with human and agent
// approvals. The API repeats every secret in every encoding.
func TestCanaries(t *testing.T) {
	a := newFakeAPI(t)
	seen := newObserved(t)
	flags := []string{"--api-url", a.URL, "--log-level=debug", "--user-id=user-1", "--integrations=*", "--allow-pass-through", "--pass-through", writePassThroughFile(t, a.canarySet), "--audit-log", seen.auditLog}
	human := append(flags, "--approvals=human")
	agent := append(flags[:len(flags):len(flags)], "--approvals=agent", "--auth-links=off", "--no-ask-while-waiting")
	servers := map[string]*recordedServer{
		"stdio, stateful, human":  serveStdio(a.canaryFor("key of stdio, stateful, human"), testbed.Oldest, seen.env, append(human[:len(human):len(human)], "--log-file", seen.logFile)...),
		"stdio, stateless, agent": serveStdio(a.canaryFor("key of stdio, stateless, agent"), testbed.Newest, seen.env, append(agent[:len(agent):len(agent)], "--log-calls", "--log-format=json")...),
		"HTTP, stateless, human":  serveHTTP(t, a.canaryFor("key of HTTP, stateless, human"), testbed.Newest, seen, human...),
		"HTTP, stateful, agent":   serveHTTP(t, a.canaryFor("key of HTTP, stateful, agent"), "2025-11-25", seen, agent...),
	}
	t.Run("clients", func(t *testing.T) {
		for name, server := range servers {
			server.human = strings.HasSuffix(name, "human")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				(&scenario{recordedServer: server, t: t, api: a}).run()
			})
		}
	})
	s := newScanner(a.canarySet)
	if len(a.usedTokens) < 28 || slices.ContainsFunc(a.usedTokens, func(name string) bool { return name != "approve" }) {
		t.Errorf("tokens were sent to %q", a.usedTokens)
	}
	t.Run("API sent all", func(t *testing.T) {
		t.Parallel()
		a.requireAllSent(t, s)
	})
	t.Run("telemetry", func(t *testing.T) {
		t.Parallel()
		seen.check(t, s)
	})
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server.checkOutput(t, s)
		})
	}
}

// writePassThroughFile writes the operator's pass-through file, with a canary in
// every field, and returns its path.
func writePassThroughFile(t *testing.T, c *canarySet) string {
	data, err := json.Marshal(map[string]any{
		"ops-aws":  passThroughData(c, "operator", "aws"),
		"ops-role": passThroughData(c, "operator", "role"),
		"ops-okta": passThroughData(c, "operator", "okta"),
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

// passThroughData returns pass-through data of one credential type (aws, role or
// okta) with a canary in every field.
func passThroughData(c *canarySet, whose, kind string) map[string]any {
	secret := func(location string) string {
		return c.canaryFor("pass-through: " + whose + "'s " + kind + " " + location)
	}
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
