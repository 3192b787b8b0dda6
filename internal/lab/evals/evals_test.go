package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// server is the binary that TestMain built.
var server string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "evals")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if server, err = build(context.Background(), dir); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

const secret = "sk-canary/7f3a"

// script starts a scripted model and returns its URL. It answers the n-th request,
// from 0, with the calls of reply.
func script(t *testing.T, reply func(n int, messages []message) []functionCall) string {
	n := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Model    string
			Messages []message
			Tools    []tool
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+secret || asked.Model != "scripted" {
			t.Errorf("asked %s %s of %q", r.Method, r.URL, asked.Model)
		}
		if s := asked.Messages[0]; s.Role != "system" || !strings.Contains(s.Content, "get_run: pass the lastEventId") || len(asked.Tools) < 2 {
			t.Errorf("the model sees %d tools and %q", len(asked.Tools), s.Content)
		}
		answer := message{Role: "assistant", Content: "All right."}
		for i, c := range reply(n, asked.Messages) {
			answer.ToolCalls = append(answer.ToolCalls, toolCall{ID: fmt.Sprint(i), Type: "function", Function: c})
		}
		n++
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": answer}}})
	}))
	t.Cleanup(api.Close)
	return api.URL + "/v1"
}

// runEvals runs the program and returns its output, which must not contain the key.
func runEvals(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := func(name string) string { return map[string]string{keyVariable: secret + "\n"}[name] }
	code = run(t.Context(), append([]string{"--model", "scripted", "--server", server}, args...), env, &stdout, &stderr)
	out = stdout.String() + stderr.String()
	if strings.Contains(out, secret) {
		t.Errorf("the key is in what was printed:\n%s", out)
	}
	return code, out
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

func everyCase(t *testing.T) []evalCase {
	t.Helper()
	cases, err := readCases(casesFile, regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestCases plays every case on the real server. Its turns must be possible, and the
// server must accept each right call.
func TestCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range everyCase(t) {
		t.Run(c.Name, func(t *testing.T) {
			if names[c.Name] || c.Group == "" || len(c.Turns) == 0 {
				t.Error("the case has the name of another, no group or no turns")
			}
			names[c.Name] = true
			s, err := playCase(t.Context(), server, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, right := range s.right {
				if err := s.checkCall(right.Tool, right.Arguments); err != nil {
					t.Errorf("%s: %v", right.Tool, err)
				}
				if why := right.differs(right.Arguments); why != "" {
					t.Errorf("%s: the example is not right: %s", right.Tool, why)
				}
				for name := range right.Patterns {
					if _, ok := right.Arguments[name]; !ok {
						t.Errorf("%s: %s has a pattern and no example", right.Tool, name)
					}
				}
				for _, name := range right.Without {
					if err := s.checkCall(right.Tool, map[string]any{name: nil}); err != nil && strings.Contains(err.Error(), "additional properties") {
						t.Errorf("%s: there is no argument %s to leave out", right.Tool, name)
					}
				}
			}
			seen := fmt.Sprint(s.messages)
			for _, turn := range c.Turns {
				if turn.Behaviour != "" && strings.Contains(seen, turn.Behaviour) {
					t.Errorf("the model sees what was asked of the sandbox: %s", turn.Behaviour)
				}
			}
		})
	}
	if len(names) < 25 {
		t.Errorf("only %d cases", len(names))
	}
}

// TestRightModel gives every case to a model that makes the right calls.
func TestRightModel(t *testing.T) {
	cases := everyCase(t)
	url := script(t, func(n int, messages []message) []functionCall {
		if len(cases[n].Right) == 0 {
			return nil
		}
		var latest any
		for _, m := range messages {
			if m.Role == "tool" && !strings.HasPrefix(m.Content, "outcome_unknown: ") && json.Unmarshal([]byte(m.Content), &latest) != nil {
				t.Errorf("a result is no JSON: %s", m.Content)
			}
		}
		right := cases[n].Right[len(cases[n].Right)-1]
		arguments, err := fill(right.Arguments, latest)
		if err != nil {
			t.Error(err)
		}
		text, _ := json.Marshal(arguments)
		return []functionCall{{Name: right.Tool, Arguments: string(text)}}
	})
	code, out := runEvals(t, "--url", url, "--least", "100")
	want := fmt.Sprintf("evals: %d of %[1]d right (100 %%), the right tool in %[1]d (100 %%); model scripted", len(cases))
	if code != 0 || lastLine(out) != want || strings.Contains(out, "WRONG") {
		t.Errorf("exit code %d, want last %q:\n%s", code, want, out)
	}
}

// TestWrongModel gives cases to models with different mistakes.
func TestWrongModel(t *testing.T) {
	const right = `{"intent":"Find overdue invoices, tell Slack"}`
	for _, test := range []struct {
		name, only  string
		made        []functionCall
		line, score string
	}{
		{"another tool", "^a plain wish$", []functionCall{{"list_runs", "{}"}}, "want create_run", "0 of 1 right (0 %), the right tool in 0"},
		{"no call", "^a plain wish$", nil, "no call, want create_run", "0 of 1 right (0 %), the right tool in 0"},
		{"a needless call", "^a question about runs$", []functionCall{{"list_runs", "{}"}}, "no tool must be called", "0 of 1 right (0 %), the right tool in 0"},
		{"two calls", "^a plain wish$", []functionCall{{"create_run", right}, {"create_run", right}}, "2 calls at once", "0 of 1 right (0 %), the right tool in 0"},
		{"an argument that does not match", "^a plain wish$", []functionCall{{"create_run", `{"intent":"Do it"}`}}, "intent does not match", "0 of 1 right (0 %), the right tool in 1"},
		{"a missing argument", "^the status alone$", []functionCall{{"get_run", `{"runId":"123e4567-e89b-12d3-a456-426614174000"}`}}, "includeEvents is missing", "the right tool in 1"},
		{"another value", "^what failed$", []functionCall{{"list_runs", `{"status":"CANCELED"}`}}, "status is not FAILED", "the right tool in 1"},
		{"an invented person", "^a plain wish$", []functionCall{{"create_run", `{"intent":"overdue, Slack","userId":"x"}`}}, "userId must not be given", "the right tool in 1"},
		{"an argument too many", "^the person wants it stopped$", []functionCall{{"abort_run", `{"runId":"$runId","reason":"x"}`}}, "reason must not be given", "the right tool in 1"},
		{"what the server refuses", "^what failed$", []functionCall{{"list_runs", `{"status":"FAILED","state":"x"}`}}, "the server would refuse it", "the right tool in 1"},
		{"no JSON", "^what failed$", []functionCall{{"list_runs", `{"status":`}}, "no JSON object", "the right tool in 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := script(t, func(_ int, messages []message) []functionCall {
				var latest struct{ RunID string }
				for _, m := range messages {
					if m.Role == "tool" && json.Unmarshal([]byte(m.Content), &latest) != nil {
						t.Errorf("a result is no JSON: %s", m.Content)
					}
				}
				for i := range test.made {
					test.made[i].Arguments = strings.ReplaceAll(test.made[i].Arguments, "$runId", latest.RunID)
				}
				return test.made
			})
			code, out := runEvals(t, "--url", url, "--run", test.only, "--least", "50")
			if code != 1 || !strings.Contains(out, test.line) || !strings.Contains(lastLine(out), test.score) || !strings.Contains(out, "WRONG") {
				t.Errorf("exit code %d, want %q and %q:\n%s", code, test.line, test.score, out)
			}
		})
	}
}

// TestReadCases refuses a file with a misspelt field: its case would be too easy.
func TestReadCases(t *testing.T) {
	file := []byte(`[{"name": "x", "right": [{"tool": "get_run", "argument": {}}]}]`)
	if _, err := readCases(file, regexp.MustCompile("")); err == nil || !strings.Contains(err.Error(), `"argument"`) {
		t.Errorf("got %v", err)
	}
}

// TestNoModel runs without a model: it skips the cases, or says what is missing.
func TestNoModel(t *testing.T) {
	if code, out := runEvals(t); code != 0 || out != "evals skipped: no model configured (--url)\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for path, say := range map[string]func(w http.ResponseWriter, r *http.Request){
		"refuses": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "bad "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"html":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>", r.Header) },
		"empty": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"choices":[]}`) },
	} {
		t.Run(path, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(say))
			defer api.Close()
			code, out := runEvals(t, "--url", api.URL, "--run", "^what failed$")
			if code != 1 || !strings.Contains(out, `evals: case "what failed": the model's API answered`) {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	// The environment may stand for flags.
	var out bytes.Buffer
	env := func(name string) string { return map[string]string{urlVariable: elsewhere.URL}[name] }
	if code := run(t.Context(), nil, env, &out, &out); code != 2 || !strings.Contains(out.String(), "--model is required") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
	for _, args := range [][]string{{"--url", "x", "--model", ""}, {"--run", "("}, {"extra"}, {"--nonsense"}} {
		if code, out := runEvals(t, args...); code != 2 {
			t.Errorf("%q: exit code %d: %s", args, code, out)
		}
	}
}
