package tools

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// TestCodesAreDocumented holds README's table to the code: every code once,
// with its retryable.
func TestCodesAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, errorsSection, _ := strings.Cut(string(readme), "\n## Errors\n")
	errorsSection, _, _ = strings.Cut(errorsSection, "\n## ")
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\|.*\\| (yes|no) \\|$").FindAllStringSubmatch(errorsSection, -1) {
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			if documented[code[1]] != "" {
				t.Errorf("README has %s twice", code[1])
			}
			documented[code[1]] = row[2]
		}
	}
	for _, a := range (Options{}).codes() {
		want := map[bool]string{true: "yes", false: "no"}[a.retryable]
		if documented[string(a.code)] != want {
			t.Errorf("README says of %s that it is retryable: %q, want %q", a.code, documented[string(a.code)], want)
		}
		delete(documented, string(a.code))
	}
	if len(documented) > 0 {
		t.Errorf("README has codes that there are not: %v", documented)
	}
	for _, kind := range client.Kinds() {
		if (Options{}).adviceFor(kind).code != kind {
			t.Errorf("the client's kind %s is no code", kind)
		}
	}
}

// TestFailuresAreBounded: whatever the API or an argument said, a failure is a
// text of at most 512 bytes that is no JSON, with the code and the advice complete,
// and without a secret; a program gets the same in _meta.
func TestFailuresAreBounded(t *testing.T) {
	const key = "key-of-a-caller-9f8e7d6c"
	s, v := newHandlers(Options{}), view.New(redact.New(key))
	messages := []string{
		"", "word", strings.Repeat("word ", 100), strings.Repeat("ä", 400), strings.Repeat(`"\`, 300), strings.Repeat("<&>", 200),
		strings.Repeat("😀", 200), strings.Repeat("\x00\u202e", 300), strings.Repeat("\xff", 400), strings.Repeat("x", 380) + key, key,
		strings.Repeat("https://api.test/v1/runs/approval?token=abcdefghijkl ", 8),
	}
	for _, a := range (Options{}).codes() {
		for _, message := range messages {
			for name, err := range map[string]error{
				"upstream": &client.Error{Kind: a.code, Message: message, RetryAfter: (1<<31 - 1) * time.Second},
				"own":      &problem{code: a.code, message: message, nextStep: a.nextStep},
				"any":      errors.New(message),
			} {
				result := errorResult(v, s.describe(err))
				text := textOf(t, result.Content[0])
				f, ok := result.Meta.AdditionalFields[FailureMeta].(Failure)
				if !ok || json.Valid([]byte(text)) || !strings.HasPrefix(text, f.Code+": ") || !strings.Contains(text, f.Message) || len(text) > maxFailure {
					t.Errorf("%s, %s: %d bytes: %s; %+v", a.code, name, len(text), text, f)
				}
				if name == "own" && (f.Code != string(a.code) || f.Retryable != a.retryable || f.NextStep != a.nextStep) || f.NextStep == "" || !strings.HasSuffix(text, f.NextStep) {
					t.Errorf("%s, %s: got %+v", a.code, name, f)
				}
				if !result.IsError || result.StructuredContent != nil || strings.Contains(text, "9f8e7d6c") || strings.Contains(text, "abcdefghijkl") {
					t.Errorf("%s, %s: %+v", a.code, name, result)
				}
				// Only a message that has no room is cut.
				if cut := strings.Contains(f.Message, "…"); cut && len(text) < maxFailure-150 {
					t.Errorf("%s: %.50q became %q in %d bytes", a.code, message, f.Message, len(text))
				}
			}
		}
	}
}

// TestLongHint: whatever hint an operator sets, a failure keeps its bound.
func TestLongHint(t *testing.T) {
	s := newHandlers(Options{DecideHint: strings.Repeat("in the portal ", 100)})
	text := textOf(t, errorResult(view.New(redact.New()), s.describe(&problem{code: codeLinkUnavailable, message: "m"})).Content[0])
	if len(text) > maxFailure || !strings.HasPrefix(text, "approval_link_unavailable: ") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func textOf(t *testing.T, content any) string {
	t.Helper()
	data, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	var block struct{ Text string }
	if err := json.Unmarshal(data, &block); err != nil {
		t.Fatal(err)
	}
	return block.Text
}

// TestWaitIsTold in the field and in words, where waiting helps.
func TestWaitIsTold(t *testing.T) {
	s := newHandlers(Options{})
	for kind, want := range map[client.Kind]int{client.RateLimited: 3, client.Unavailable: 3, client.OutcomeUnknown: 0, client.Conflict: 0} {
		f := s.describe(&client.Error{Kind: kind, RetryAfter: 2100 * time.Millisecond})
		if f.RetryAfterSeconds != want || strings.Contains(f.NextStep, "after 3 s") != (want > 0) {
			t.Errorf("%s: %+v", kind, f)
		}
	}
	if f := s.describe(&client.Error{Kind: client.Unavailable}); f.RetryAfterSeconds != 0 || strings.Contains(f.NextStep, "after") {
		t.Errorf("the API names no time: %+v", f)
	}
}

// TestAdviceNamesNoAbsentTool, least of all where a run may have been created.
func TestAdviceNamesNoAbsentTool(t *testing.T) {
	for _, excluded := range [][]string{{"list_runs"}, {"get_run"}, {"list_runs", "get_run"}} {
		s := newHandlers(Options{ExcludeTools: excluded})
		said := []string{s.someCandidates([]candidate{{}}, nil).nextStep, s.noCandidate("", nil).nextStep, s.describe(attend.ErrUsed).NextStep, s.unknownAbort("", nil).nextStep}
		for _, a := range s.codes() {
			said = append(said, a.nextStep)
		}
		for _, text := range said {
			for _, name := range excluded {
				if strings.Contains(text, name) || text == "" {
					t.Errorf("without %v: %s", excluded, text)
				}
			}
		}
	}
}
