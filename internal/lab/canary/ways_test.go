package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rogpeppe/go-internal/testscript"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// panicking is a network whose failures say everything that is sent.
type panicking struct{ as func(said string) any }

func (p panicking) RoundTrip(r *http.Request) (*http.Response, error) {
	var dump bytes.Buffer
	r.Header.Write(&dump)
	if r.Body != nil {
		io.Copy(&dump, r.Body)
	}
	panic(p.as(dump.String()))
}

// TestCanariesInPanics: whatever a handler panics with, neither the client nor
// the log gets it.
func TestCanariesInPanics(t *testing.T) {
	c := &canaries{}
	values := map[string]func(string) any{
		"text":   func(said string) any { return said },
		"error":  func(said string) any { return fmt.Errorf("it broke: %w", errors.New(said)) },
		"struct": func(said string) any { return struct{ Dump []string }{[]string{said}} },
	}
	standard := &testbed.Buffer{} // net/http and mcp-go write to it
	log.SetOutput(standard)
	defer log.SetOutput(os.Stderr)
	for name, as := range values {
		key := client.Key(c.canary("key of " + name))
		bed := testbed.New(t, func(o *tools.Options) {
			o.AllowPassThrough = true
			broken, err := client.New(client.Options{URL: "http://127.0.0.1:1", Transport: panicking{as}})
			if err != nil {
				t.Fatal(err)
			}
			*o.API = *broken // for the resources too
		}, nil)
		bed.Caller.Key = key
		bed.MCP.AddTool(mcp.NewTool("foreign"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			panic(as(c.canary("a panic that nobody knows")))
		})
		out := &testbed.Buffer{}
		s := bed.Connect(testbed.Newest, nil)
		item := passThrough(c, "caller", "okta")
		item["customerIntegrationId"] = "okta"
		for tool, args := range map[string]map[string]any{
			"create_run": {"intent": "x", "passThrough": []any{item}}, "list_runs": {},
			"get_run": {"runId": "123e4567-e89b-12d3-a456-426614174000"}, "abort_run": {"runId": "123e4567-e89b-12d3-a456-426614174000"},
		} {
			text, failed := testbed.Raw(t, s, tool, args)
			if !failed || !strings.HasPrefix(text, "internal: ") {
				t.Errorf("%s did not panic: %s", tool, text)
			}
			io.WriteString(out, text)
		}
		_, foreign := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "foreign"})
		_, read := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://123e4567-e89b-12d3-a456-426614174000"})
		_, list := s.ListResources(t.Context(), nil)
		fmt.Fprintln(out, foreign, read, list)
		scan := newScanner(c)
		scan.none(t, "what the client gets", out.String())
		scan.none(t, "the log", bed.Log.String()+standard.String())
		if n := strings.Count(bed.Log.String(), "a tool panicked"); n != 4 || foreign == nil || read == nil || list == nil {
			t.Errorf("%s: %d tools panicked; %v, %v, %v; log %s", name, n, foreign, read, list, bed.Log.String())
		}
	}
}

// TestCanariesInTheTerminal has a person decide there.
func TestCanariesInTheTerminal(t *testing.T) {
	a := newLeakyAPI(t)
	script := filepath.Join(t.TempDir(), "approve.txtar")
	lines := ""
	for _, kind := range []string{"step", "start", "quiet", "refuse-401", "refuse-429", "refuse-503", "done"} {
		not := ""
		if strings.HasPrefix(kind, "refuse") {
			not = "! "
		}
		lines += "waiting " + kind + "\nttyin -stdin yes\n" + not + "exec runs-mcp-server approve --log-level=debug $RUN\nsaid\n"
	}
	if err := os.WriteFile(script, []byte(lines+"-- yes --\ny\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := &testbed.Buffer{}
	params := testscript.Params{
		Files: []string{script},
		Setup: func(env *testscript.Env) error {
			env.Setenv("TR_API_URL", a.URL)
			env.Setenv("TR_API_KEY", a.canary("key in the terminal"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waiting": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("RUN", a.add(args[0], a.canary("key in the terminal")).id)
			},
			"said": func(ts *testscript.TestScript, _ bool, _ []string) {
				io.WriteString(seen, ts.ReadFile("ttyout")+ts.ReadFile("stdout")+ts.ReadFile("stderr"))
			},
		},
	}
	t.Run("go", func(t *testing.T) { testscript.Run(t, params) }) // until it has ended
	if n := strings.Count(seen.String(), "The API took the decision to approve"); n != 3 || !strings.Contains(seen.String(), "[removed]") {
		t.Errorf("%d decisions were taken: %s", n, seen.String())
	}
	newScanner(a.canaries).none(t, "the terminal", seen.String())
}

// TestCanariesInUsage misuses the command line with secrets.
func TestCanariesInUsage(t *testing.T) {
	c := &canaries{}
	key := c.canary("key in the environment")
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
	mixed := passThrough(c, "operator", "aws")
	mixed["values"].(map[string]any)["roleArn"] = c.canary("roleArn among aws")
	strange := passThrough(c, "operator", "role")
	strange["values"].(map[string]any)["password"] = c.canary("unknown field")
	for _, args := range [][]string{
		{"tools", "--pass-through", operatorsFile(t, c), "--integrations=*", "--allow-pass-through"},
		{"tools", "--pass-through", file(map[string]any{"ops": mixed})}, {"tools", "--pass-through", file(map[string]any{"ops": strange})},
		{"tools", "--pass-through", file(c.canary("a file of one word"))}, {"tools", "--pass-through", c.canary("a secret for a file")},
		{"--api-key-file", c.canary("a key for a file")}, {"http", "--api-key-file", c.canary("a key for a file, over HTTP")},
		{"--api-url", "https://user:" + c.canary("password in the address") + "@api.test"}, {"--api-url", "https://api.test?key=" + c.canary("key in the address")},
	} {
		out := &testbed.Buffer{}
		cli.Run(t.Context(), append(args, "--log-level=debug"), func(name string) string { return map[string]string{"TR_API_KEY": key}[name] }, strings.NewReader(""), out, out)
		if out.String() == "" {
			t.Errorf("%s said nothing", args[:1])
		}
		newScanner(c).none(t, "what "+strings.Join(args[:2], " ")+" says", out.String())
	}
}
