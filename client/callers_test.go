package client

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"runs-mcp-server/internal/lab/inmem"
)

// newKeyTest returns a client of a server in memory. It tries once.
func newKeyTest(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	c, err := New(Options{URL: "http://localhost", Transport: inmem.Transport(h)})
	if err != nil {
		t.Fatal(err)
	}
	c.retries.tries = 1
	return c
}

// TestAccepted: which answers show that the API accepts the key of a request.
func TestAccepted(t *testing.T) {
	const own = `{"statusCode":404,"message":"x"}`
	for _, tt := range []struct {
		op       string
		status   int
		body     string
		accepted bool
	}{
		{"get", 200, `{"runId":"` + onceRun + `","status":"RUNNING"}`, true},
		{"get", 200, `not what the contract says`, true},
		{"list", 200, `[]`, true},
		{"create", 201, `{"runId":"` + onceRun + `"}`, true},
		{"abort", 200, ``, true},
		{"stream", 200, "id: 1\n\n", true},
		{"approve", 201, ``, false},
		{"get", 404, own, true},
		{"stream", 404, own, true},
		{"list", 404, own, false},
		{"approve", 404, own, false},
		{"get", 404, `<html>`, false},
		{"get", 301, ``, false},
		{"get", 400, own, false},
		{"get", 401, own, false},
		{"get", 403, own, false},
		{"get", 429, own, false},
		{"get", 503, own, false},
	} {
		c := newKeyTest(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(tt.status)
			fmt.Fprint(w, tt.body)
		})
		_ = operations(c)[tt.op](t.Context())
		if got := c.Accepted("k"); got != tt.accepted || c.Accepted("another") {
			t.Errorf("%s %d %s: accepted %t, want %t", tt.op, tt.status, tt.body, got, tt.accepted)
		}
	}
}

// TestCallersAreBounded: the health of the newest keys is remembered, each key's own.
// Strangers push out no key that the API has accepted.
func TestCallersAreBounded(t *testing.T) {
	c := newKeyTest(t, nil)
	c.acceptKey("accepted", c.healthOf("accepted"))
	accepted, stranger := c.healthOf("accepted"), c.healthOf("stranger")
	for i := range 2 * maxStrangers {
		c.healthOf(Key(fmt.Sprint(i)))
		if c.healthOf("stranger") != stranger {
			t.Fatalf("the stranger who calls all the time was forgotten after %d others", i)
		}
	}
	if c.healthOf("accepted") != accepted || !c.Accepted("accepted") {
		t.Error("strangers pushed out a key that was accepted")
	}
	first := c.healthOf("0")
	if first == stranger || first == accepted || first != c.healthOf("0") {
		t.Error("a key has another's health, or none of its own")
	}
	before := liveHeap()
	for i := range 2 * maxAccepted {
		key := Key(fmt.Sprint(i))
		c.acceptKey(key, c.healthOf(key))
		c.healthOf("accepted")
	}
	if each := (liveHeap() - before) / maxAccepted; each > healthBytes {
		t.Errorf("a key takes %d bytes, want at most %d", each, healthBytes)
	} else {
		t.Logf("a key takes %d bytes", each)
	}
	if !c.Accepted("accepted") || c.Accepted("0") {
		t.Error("not the least recently used key was forgotten")
	}
	if a, s := c.callers.accepted.Len(), c.callers.strangers.Len(); a != maxAccepted || s > maxStrangers {
		t.Errorf("%d accepted keys and %d strangers are remembered", a, s)
	}
}

// liveHeap returns the bytes of the live heap.
func liveHeap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
