package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// requests are the operations and the requests that they make.
var requests = []struct {
	name, line, body string
	call             func(context.Context, *client.Client) error
}{
	{"create", "POST /v1/runs", `{"intent":"x","selectedCustomerIntegrationIds":["a"],"context":"c","userId":"u"}`, func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateRun(ctx, caller, client.CreateRunRequest{Intent: "x", Integrations: []string{"a"}, Context: "c", UserID: "u"})
		return err
	}},
	{"get", "GET /v1/runs/" + testRun, "", func(ctx context.Context, c *client.Client) error {
		_, err := c.GetRun(ctx, caller, testRun, false)
		return err
	}},
	{"get with events", "GET /v1/runs/" + testRun + "?includeEvents=true", "", func(ctx context.Context, c *client.Client) error {
		_, err := c.GetRun(ctx, caller, testRun, true)
		return err
	}},
	{"read", "GET /v1/runs/" + testRun + "?includeEvents=true", "", func(ctx context.Context, c *client.Client) error {
		_, err := c.ReadRun(ctx, caller, testRun)
		return err
	}},
	{"abort", "DELETE /v1/runs/" + testRun, "", func(ctx context.Context, c *client.Client) error { return c.AbortRun(ctx, caller, testRun) }},
	{"approve", "GET /v1/runs/approval?token=t", "", func(ctx context.Context, c *client.Client) error { return c.Approve(ctx, caller, "t") }},
	{"plan", "GET /v1/execution-plans/a%2Fb", "", func(ctx context.Context, c *client.Client) error {
		_, err := c.GetPlan(ctx, caller, "a/b")
		return err
	}},
	{"list", "GET /v1/runs", "", listBy(client.ListRunsQuery{})},
	{"list by all", "GET /v1/runs?customerIntegrationIds=a&customerIntegrationIds=b&includeEvents=true&page=2&pageSize=3&status=PAUSED&userId=u", "",
		listBy(client.ListRunsQuery{IncludeEvents: true, UserID: "u", Status: client.Paused, CustomerIntegrationIDs: []string{"a", "b"}, Page: 2, PageSize: 3})},
}

func listBy(q client.ListRunsQuery) func(context.Context, *client.Client) error {
	return func(ctx context.Context, c *client.Client) error {
		_, err := c.ListRuns(ctx, caller, q)
		return err
	}
}

// TestRequestLines: method, path, query, headers and body of every operation.
func TestRequestLines(t *testing.T) {
	for _, tt := range requests {
		var got *http.Request
		var body []byte
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			io.WriteString(w, map[bool]string{true: "[]", false: `{"runId":"` + testRun + `"}`}[strings.HasPrefix(tt.name, "list")])
		})
		if err := tt.call(t.Context(), c); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if line := got.Method + " " + got.URL.String(); line != tt.line || string(body) != tt.body {
			t.Errorf("%s: sent %s with %s", tt.name, line, body)
		}
		for name, want := range map[string]string{"X-Api-Key": string(caller.Key), "Accept": "application/json", "User-Agent": "test/1", "Content-Type": map[bool]string{true: "application/json"}[tt.body != ""],
			"Cache-Control": "", "Last-Event-ID": ""} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got.Header.Get(name), want)
			}
		}
	}
}

// TestStreamHeaders: a stream asks for neither caches nor compression, and goes on
// after an id only if there is one.
func TestStreamHeaders(t *testing.T) {
	for _, last := range []string{"", "17"} {
		var got *http.Request
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			w.Header().Set("Content-Type", "text/event-stream")
		})
		s, err := c.OpenStream(t.Context(), caller, testRun, last)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if got.URL.String() != "/v1/runs/"+testRun+"/sse?includeToolCalls=true" {
			t.Errorf("asked for %s", got.URL)
		}
		for name, want := range map[string]string{"X-Api-Key": string(caller.Key), "Accept": "text/event-stream", "Cache-Control": "no-cache", "Accept-Encoding": "identity", "Last-Event-ID": last, "Content-Type": ""} {
			if got.Header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
			}
		}
	}
}

// TestUnwritableRequest: what is no JSON is refused before it is sent.
func TestUnwritableRequest(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	_, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{OutputSchema: json.RawMessage("{")})
	if client.KindOf(err) != client.InvalidArgument || !strings.Contains(err.Error(), "could not be written as JSON") {
		t.Errorf("got %v", err)
	}
}

// TestLargestAnswer: an answer of 16 MiB is read, one byte more is refused, with or
// without an announced length.
func TestLargestAnswer(t *testing.T) {
	for size, kind := range map[int]client.Kind{16 << 20: "", 16<<20 + 1: client.Invalid} {
		for _, announced := range []bool{true, false} {
			text := `{"runId":"` + testRun + `"}`
			text += strings.Repeat(" ", size-len(text))
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if announced {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				}
				w.(http.Flusher).Flush()
				io.WriteString(w, text)
			}))
			if _, err := c.GetRun(t.Context(), caller, testRun, false); client.KindOf(err) != kind {
				t.Errorf("%d bytes, announced %t: %v", size, announced, err)
			}
		}
	}
}

// TestAnswersOfEverySize: answers without an announced length are read whole.
func TestAnswersOfEverySize(t *testing.T) {
	for _, size := range []int{100, 4<<10 - 1, 4 << 10, 4<<10 + 1, 16 << 10, 16<<10 + 1, 1 << 20} {
		text := `{"runId":"` + testRun + `","intent":"`
		intent := strings.Repeat("x", size-len(text)-2)
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, text+intent+`"}`)
		}))
		if run, err := c.GetRun(t.Context(), caller, testRun, false); err != nil || run.Intent != intent {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestPagesInTheAPIsPlace: a web page instead of an answer means that the address
// serves no API, unless the API has answered before. An approval may be answered
// with a page.
func TestPagesInTheAPIsPlace(t *testing.T) {
	page := true
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if page {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "\n<html></html>")
			return
		}
		io.WriteString(w, `{"runId":"`+testRun+`"}`)
	})
	check := func(when string, get, create, abort client.Kind) {
		t.Helper()
		_, getErr := c.GetRun(t.Context(), caller, testRun, false)
		_, createErr := c.CreateRun(t.Context(), caller, client.CreateRunRequest{})
		abortErr := c.AbortRun(t.Context(), caller, testRun)
		if client.KindOf(getErr) != get || client.KindOf(createErr) != create || client.KindOf(abortErr) != abort {
			t.Errorf("%s: get %v, create %v, abort %v", when, getErr, createErr, abortErr)
		}
		if err := c.Approve(t.Context(), caller, "t"); err != nil {
			t.Errorf("%s: approve %v", when, err)
		}
	}
	check("never an API", client.Misconfigured, client.OutcomeUnknown, client.Misconfigured)
	page = false
	check("the API", "", "", "")
	page = true
	check("an API before", client.Invalid, client.OutcomeUnknown, "")
}

// TestWhatServes: after a value, an error or a stream of the API, a foreign 404 is
// an outage. Without those it is a wrong address.
func TestWhatServes(t *testing.T) {
	get := func(c *client.Client) error { _, err := c.GetRun(t.Context(), caller, testRun, false); return err }
	open := func(c *client.Client) error {
		s, err := c.OpenStream(t.Context(), caller, testRun, "")
		if err == nil {
			s.Close()
		}
		return err
	}
	for name, tt := range map[string]struct {
		status      int
		contentType string
		body        string
		call        func(*client.Client) error
		want        client.Kind // of a bare 404 afterwards
	}{
		"a run":           {200, "application/json", `{"runId":"` + testRun + `"}`, get, client.Unavailable},
		"an error":        {422, "application/json", `{"error":"x"}`, get, client.Unavailable},
		"many errors":     {500, "application/json", `{"errors":[]}`, get, client.Unavailable},
		"a status code":   {409, "application/json", `{"statusCode":409}`, get, client.Unavailable},
		"a stream":        {200, "text/event-stream", "", open, client.Unavailable},
		"another error":   {422, "application/json", `{"detail":"x"}`, get, client.Misconfigured},
		"another value":   {200, "application/json", `{}`, get, client.Misconfigured},
		"no event stream": {200, "text/plain", "", open, client.Misconfigured},
	} {
		first := true
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !first {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("Content-Type", tt.contentType)
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		})
		tt.call(c)
		first = false
		if err := get(c); client.KindOf(err) != tt.want {
			t.Errorf("after %s: %v, want %s", name, err, tt.want)
		}
	}
}

// foreignContext is a context that the standard library does not know: a context
// made of it starts a goroutine, which ends when that context is cancelled.
type foreignContext struct {
	context.Context
	done chan struct{}
}

func (c foreignContext) Done() <-chan struct{} { return c.done }

// TestNothingIsLeft: calls leave no goroutine behind, also if their context ends
// much later. TestMain looks for goroutines.
func TestNothingIsLeft(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/runs/" + testRun + "/sse":
			w.Header().Set("Content-Type", "text/event-stream")
		default:
			io.WriteString(w, `{"runId":"`+testRun+`"}`)
		}
	})
	long, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, ctx := range []context.Context{foreignContext{t.Context(), make(chan struct{})}, foreignContext{long, make(chan struct{})}} {
		if _, err := c.GetRun(ctx, caller, testRun, false); err != nil {
			t.Error(err)
		}
		s, err := c.OpenStream(ctx, caller, testRun, "")
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if _, err := c.OpenStream(ctx, caller, "x", ""); err == nil {
			t.Error("a stream of no run")
		}
	}
}
