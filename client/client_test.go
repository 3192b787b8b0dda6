package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
	"runs-mcp-server/internal/lab/contracttest"
	"runs-mcp-server/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns a client of a real listener that answers by h.
func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	upstream := httptest.NewServer(h)
	t.Cleanup(upstream.Close)
	c, err := client.New(client.Options{URL: upstream.URL, UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func raw(name, value string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: json.RawMessage(value)}
}

// TestContract sends every operation with every field, and checks both sides
// against the contract.
func TestContract(t *testing.T) {
	box := sandbox.New(sandbox.Options{})
	upstream := httptest.NewServer(box)
	base := &http.Transport{}
	t.Cleanup(func() {
		box.Close()
		upstream.Close()
		base.CloseIdleConnections()
	})
	c, err := client.New(client.Options{URL: upstream.URL, UserAgent: "test/1", Transport: contracttest.Transport(t, base)})
	if err != nil {
		t.Fatal(err)
	}
	who := client.Caller{Key: sandbox.DefaultKey}
	body := client.CreateRunRequest{
		Intent: "x", Integrations: []string{"aws_qrst7890", "jira_mnop3456", "slack_ijkl9012"}, Context: "sandbox: step_ms=0", UserID: "u",
		ApprovalStrategy: client.ApproveStart, OutputSchema: json.RawMessage(`{"type":"object"}`),
		PassThrough: []client.PassThrough{
			{CustomerIntegrationID: "aws_qrst7890", Headers: raw("h", `"v"`), Query: raw("q", `5`), Values: &client.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c"}},
			{CustomerIntegrationID: "jira_mnop3456", Values: &client.Credentials{RoleARN: "a", ExternalID: "b"}},
			{CustomerIntegrationID: "slack_ijkl9012", Values: &client.Credentials{ClientID: "a", KID: "b", PrivateKey: "c", OAuthTokenURL: "d", Scope: "e", Host: "f"}},
		},
	}
	created, err := c.CreateRun(t.Context(), who, body)
	if err != nil || created.Plan == nil || len(created.Plan.Steps) == 0 {
		t.Fatalf("created %+v, %v", created, err)
	}
	for e, err := range follow.Events(t.Context(), c, who, created.RunID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if links := e.Links(); len(links) == 2 {
			if err := c.Approve(t.Context(), who, links[0].Token()); err != nil {
				t.Fatal(err)
			}
		}
	}
	run, err := c.GetRun(t.Context(), who, created.RunID, true)
	if err != nil || run.Status != client.Success || len(run.Events) == 0 || run.Context != body.Context {
		t.Errorf("got %+v, %v", run, err)
	}
	if plan, err := c.GetPlan(t.Context(), who, run.ExecutionPlanID); err != nil || len(plan.Steps) != len(created.Plan.Steps) {
		t.Errorf("plan %+v, %v", plan, err)
	}
	page, err := c.ListRuns(t.Context(), who, client.ListRunsQuery{
		IncludeEvents: true, UserID: "u", Status: client.Success, CustomerIntegrationIDs: []string{"aws_qrst7890", "jira_mnop3456"}, Page: 1, PageSize: 5,
	})
	if err != nil || len(page.Runs) != 1 || page.Total != -1 {
		t.Errorf("page %+v, %v", page, err)
	}
	if err := c.AbortRun(t.Context(), who, run.RunID); client.KindOf(err) != client.Conflict {
		t.Errorf("aborting what has ended: %v", err)
	}
}

// TestAnswers decodes forms that the contract leaves open.
func TestAnswers(t *testing.T) {
	const head = `"runId":"123e4567-e89b-12d3-a456-426614174000","status":`
	tests := []struct {
		name, body string
		check      func(*client.Run) bool
	}{
		{"older events", `{` + head + `"RUNNING","stepsFinished":[{"id":4,"event":"start"}]}`, func(r *client.Run) bool { return r.Events[0].ID == 4 && r.Events[0].Type == "start" }},
		{"other keys", `{` + head + `"RUNNING","events":[{"eventId":"4","type":"step","data":{"step":{"text":"x"}}}]}`, func(r *client.Run) bool { return r.Events[0].ID == 4 && r.Events[0].Step.Text == "x" }},
		{"flat step", `{` + head + `"RUNNING","events":[{"id":1,"event":"step","text":"x","approval":"PENDING"}]}`, func(r *client.Run) bool { return r.Events[0].Step.Approval == "PENDING" }},
		{"no ids", `{` + head + `"RUNNING","events":[{"auth":{"status":"required"}},{"step":{}}]}`, func(r *client.Run) bool { return r.Events[1].ID == 2 && r.Events[0].Type == "authentication" }},
		{"an id twice", `{` + head + `"RUNNING","events":[{"id":5},{"id":5}]}`, func(r *client.Run) bool { return r.Events[0].ID == 5 && r.Events[1].ID == 6 }},
		{"an id that is missing", `{` + head + `"RUNNING","events":[{"id":5},{"step":{}},{"id":10}]}`, func(r *client.Run) bool { return r.Events[1].ID == 6 && r.Events[2].ID == 10 }},
		{"the newest first", `{` + head + `"RUNNING","events":[{"id":5},{"id":2}]}`, func(r *client.Run) bool { return r.Events[0].ID == 2 && r.Events[1].ID == 5 }},
		{"items of any kind", `{` + head + `"RUNNING","events":[1,"x",null,[],{}]}`, func(r *client.Run) bool { return len(r.Events) == 5 }},
		{"unknown status and fields", `{` + head + `"DREAMING","new":{"a":1}}`, func(r *client.Run) bool {
			return r.Status == "DREAMING" && !r.Status.Terminal()
		}},
		{"wrong types", `{` + head + `"RUNNING","intent":5,"createdAt":[],"plan":{"plan":"as text"}}`, func(r *client.Run) bool { return r.Intent == "" && r.Plan.Text == "as text" }},
		{"plan of another form", `{` + head + `"QUEUED","plan":{"planType":"json","plan":[{"id":"1"}]}}`, func(r *client.Run) bool { return len(r.Plan.Raw) > 0 }},
		{"plan of no form", `{` + head + `"QUEUED","plan":5}`, func(r *client.Run) bool { return r.RunID == testRun }},
		{"no status", `{"runId":"123e4567-e89b-12d3-a456-426614174000"}`, func(r *client.Run) bool { return r.Status == "" && !r.Status.Terminal() }},
		{"plan of steps", `{` + head + `"QUEUED","plan":{"planType":"json","plan":{"title":"t","steps":[{"id":"1","description":"d"}]}}}`, func(r *client.Run) bool { return r.Plan.Title == "t" && r.Plan.Steps[0].Description == "d" }},
		{"no runId", `{"status":"RUNNING"}`, nil},
		{"not JSON", `html`, nil},
		{"cut off", `{` + head, nil},
		{"null", `null`, nil},
	}
	for _, tt := range tests {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, tt.body) })
		run, err := c.GetRun(t.Context(), caller, testRun, true)
		switch {
		case tt.check == nil && client.KindOf(err) != client.Invalid:
			t.Errorf("%s: got %+v, %v", tt.name, run, err)
		case tt.check != nil && (err != nil || !tt.check(run)):
			t.Errorf("%s: got %+v, %v", tt.name, run, err)
		}
	}
}

// TestRequests: no redirect is followed, and invalid requests are not sent.
func TestRequests(t *testing.T) {
	var got *http.Request
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		http.Redirect(w, r, "http://127.0.0.1:1/stolen", http.StatusTemporaryRedirect)
	})
	err := c.Approve(t.Context(), caller, "a token&with=signs")
	if client.KindOf(err) != client.Misconfigured || strings.Contains(err.Error(), "stolen") || strings.Contains(err.Error(), "token&") {
		t.Errorf("a redirect: %v", err)
	}
	if got.URL.Query().Get("token") != "a token&with=signs" || got.Header.Get("x-api-key") != string(caller.Key) || !got.Close {
		t.Errorf("sent %s, close %t", got.URL, got.Close)
	}
	got = nil
	for _, runID := range []string{"", "../approval", "17", "{123e4567-e89b-12d3-a456-42661417400}"} {
		if _, err := c.GetRun(t.Context(), caller, client.RunID(runID+"x"), false); client.KindOf(err) != client.InvalidArgument {
			t.Errorf("run %q: %v", runID, err)
		}
	}
	if _, err := c.GetRun(t.Context(), client.Caller{}, testRun, false); client.KindOf(err) != client.Unauthorized {
		t.Errorf("no key: %v", err)
	}
	if got != nil {
		t.Errorf("%s was sent", got.URL)
	}
}

// TestCutAnswers: a cut off answer to a read is unavailable, to a create its
// outcome is unknown.
func TestCutAnswers(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"runId":`)
	})
	if _, err := c.GetRun(t.Context(), caller, testRun, true); client.KindOf(err) != client.Unavailable {
		t.Errorf("got %v", err)
	}
	if _, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{}); client.KindOf(err) != client.OutcomeUnknown {
		t.Errorf("got %v", err)
	}
}

// TestLimits: answers are bounded after decompression.
func TestLimits(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	fmt.Fprintf(zip, `{"intent":"`)
	for range 17 {
		zip.Write(bytes.Repeat([]byte("x"), 1<<20))
	}
	zip.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		w.Write(bomb.Bytes())
	})
	if _, err := c.GetRun(t.Context(), caller, testRun, false); client.KindOf(err) != client.Invalid || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("got %v", err)
	}
	if _, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{}); client.KindOf(err) != client.OutcomeUnknown {
		t.Errorf("got %v", err)
	}
}

// TestFailures: connections that are refused, break or stay silent, and callers
// that leave.
func TestFailures(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	c, err := client.New(client.Options{URL: gone.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{}); client.KindOf(err) != client.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
	broken := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := broken.CreateRun(t.Context(), caller, client.CreateRunRequest{}); client.KindOf(err) != client.OutcomeUnknown {
		t.Errorf("the connection broke: %v", err)
	}
	if _, err := broken.GetRun(t.Context(), caller, testRun, false); client.KindOf(err) != client.Unavailable {
		t.Errorf("the connection broke: %v", err)
	}
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := slow.GetRun(ctx, caller, testRun, false); client.KindOf(err) != client.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := slow.GetRun(canceled, caller, testRun, false); client.KindOf(err) != client.Canceled {
		t.Errorf("gone: %v", err)
	}
}

// TestMessages: errors quote the API without secrets, and not at all after
// pass-through data was sent.
func TestMessages(t *testing.T) {
	said := ""
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(422)
		io.WriteString(w, said)
	})
	create := func(p ...client.PassThrough) *client.Error {
		_, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{Context: "secret context", PassThrough: p})
		var e *client.Error
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		return e
	}
	said = `{"message":["intent is\n short","` + string(caller.Key) + ` secret context"]}`
	if e := create(); e.Message != "intent is short; [removed] [removed]" || e.RetryAfter != 3*time.Second || e.Status != 422 {
		t.Errorf("got %+v", e)
	}
	said = `{"message":"` + strings.Repeat("ä", 400) + `"}`
	if e := create(); e.Message != strings.Repeat("ä", 400) { // half a secret would pass for none
		t.Errorf("%d bytes: %s", len(e.Message), e.Message)
	}
	said = `{"message":"aGVhZGVy is wrong"}`
	if e := create(client.PassThrough{CustomerIntegrationID: "a", Headers: raw("x", `"header"`)}); strings.Contains(e.Message, "aGVhZGVy") {
		t.Errorf("got %q", e.Message)
	}
	said = `<html>`
	if e := create(); e.Message == "" || strings.Contains(e.Message, "html") {
		t.Errorf("got %q", e.Message)
	}
}

// TestErrorsInTheLog: a logged error holds no words of the API.
func TestErrorsInTheLog(t *testing.T) {
	for said, want := range map[string]string{
		`{"message":"the words of the API"}`: "level=INFO msg=x error.kind=invalid_argument error.op=create_run error.status=422\n",
		`{}`:                                 "level=INFO msg=x error.kind=invalid_argument error.op=create_run error.status=422 error.message=\"the Run API refused the request (422)\"\n",
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(422)
			io.WriteString(w, said)
		})
		_, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{})
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "error", err)
		if _, line, _ := strings.Cut(log.String(), " "); line != want {
			t.Errorf("%s is logged as %s", said, line)
		}
	}
}

// TestNew refuses addresses over which the key would travel in the clear, and says
// what is wrong.
func TestNew(t *testing.T) {
	const (
		form  = "is not a URL like"
		parts = "must not hold a user, a query or a fragment"
		port  = "has a port that is none"
		clear = "would travel in the clear"
	)
	for url, want := range map[string]string{
		"https://api.toolregistry.ai": "", "https://proxy.test/tr/": "", "http://127.0.0.1:80": "", "http://[::1]:80": "", "http://localhost": "", "https://x.test:1": "", "https://x.test:65535": "",
		"http://api.toolregistry.ai": clear, "http://127.0.0.1.evil.test": clear, "ftp://localhost": clear,
		"https://user:pass@x.test": parts, "https://x.test?a=1": parts, "https://x.test/#a": parts,
		"https://x.test:0": port, "https://x.test:65536": port, "https://x.test:123456": port,
		"": form, "::": form, "https://": form, "x.test": form, "https://x.test:port": form,
	} {
		_, err := client.New(client.Options{URL: url})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", url, err)
		}
	}
}
