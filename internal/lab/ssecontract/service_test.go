package ssecontract

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// capabilities are all that the suite knows.
var capabilities = []string{
	"bom", "comments", "event-type-listeners", "headers", "last-event-id", "post", "read-timeout", "report", "restart",
	"server-directed-shutdown-request",
}

// service makes clients as the suite asks, and stops them all when the test ends.
type service struct {
	ctx     context.Context
	running sync.WaitGroup

	mu      sync.Mutex
	clients []client
}

type client struct {
	*eventSource
	stop func() // and wait
}

// serve returns the service's address, on loopback.
func serve(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &service{ctx: ctx}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"capabilities": capabilities})
	})
	mux.HandleFunc("POST /{$}", s.create)
	mux.HandleFunc("POST /clients/{n}", s.command)
	mux.HandleFunc("DELETE /clients/{n}", s.remove)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		cancel()
		s.running.Wait()
	})
	return server.URL
}

func (s *service) create(w http.ResponseWriter, r *http.Request) {
	var p streamParams
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || p.StreamURL == "" || p.CallbackURL == "" {
		http.Error(w, "streamUrl and callbackUrl are required", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	c := client{newEventSource(p), func() {
		cancel()
		<-done
	}}
	s.running.Go(func() {
		defer close(done)
		c.run(ctx)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = append(s.clients, c)
	w.Header().Set("Location", fmt.Sprintf("/clients/%d", len(s.clients)-1))
	w.WriteHeader(http.StatusCreated)
}

// client returns the one a path names; ok is false, and the answer written, when there is none.
func (s *service) client(w http.ResponseWriter, r *http.Request) (c client, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(s.clients) {
		http.NotFound(w, r)
		return client{}, false
	}
	return s.clients[n], true
}

func (s *service) command(w http.ResponseWriter, r *http.Request) {
	c, ok := s.client(w, r)
	if !ok {
		return
	}
	var p struct {
		Command string `json:"command"`
		Listen  struct {
			Type string `json:"type"`
		} `json:"listen"`
	}
	err := json.NewDecoder(r.Body).Decode(&p)
	switch {
	case err == nil && p.Command == "listen":
		c.listen(p.Listen.Type)
	case err == nil && p.Command == "restart":
		c.restart()
	default:
		http.Error(w, "unknown command", http.StatusBadRequest)
	}
}

func (s *service) remove(w http.ResponseWriter, r *http.Request) {
	if c, ok := s.client(w, r); ok {
		c.stop()
		w.WriteHeader(http.StatusNoContent)
	}
}

// TestService plays the suite's part once: where the suite is not at hand, this
// keeps the service fit for it.
func TestService(t *testing.T) {
	said, requests, listening := make(chan string, 9), make(chan string, 9), make(chan bool)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /said/{n}", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said <- r.PathValue("n") + " " + string(body)
	})
	connections := 0
	mux.HandleFunc("REPORT /stream", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- fmt.Sprintf("%s %s %s", body, r.Header.Get("X-Custom"), r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		switch connections++; connections {
		case 1:
			<-listening
			io.WriteString(w, "\uFEFF:a\rid: 1\ndata: x\n\n:b\nevent: heard\ndata: y\n\nevent: unheard\ndata: no\n\nid: 2\n\nid: 3\ndata: cut")
		case 2:
			io.WriteString(w, "data: z\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	upstream := httptest.NewServer(mux)
	t.Cleanup(upstream.Close)
	base := serve(t)
	send := func(method, path, body string, status int) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s %s: status %d, want %d", method, path, resp.StatusCode, status)
		}
		return resp.Header.Get("Location")
	}
	expect := func(what string, from <-chan string, want ...string) {
		t.Helper()
		var got []string
		for range want {
			select {
			case m := <-from:
				got = append(got, m)
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: got %q and nothing more, want %q", what, got, want)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", what, got, want)
		}
	}

	send("GET", "/", "", http.StatusOK)
	send("POST", "/", `{"streamUrl":"x"}`, http.StatusBadRequest)
	at := send("POST", "/", fmt.Sprintf(`{"streamUrl":"%s/stream","callbackUrl":"%s/said","initialDelayMs":0,"readTimeoutMs":60000,"lastEventId":"0",`+
		`"headers":{"x-custom":"h"},"method":"REPORT","body":"b"}`, upstream.URL, upstream.URL), http.StatusCreated)
	send("POST", at, `{"command":"listen","listen":{"type":"heard"}}`, http.StatusOK)
	close(listening)
	expect("reported", said, `1 {"kind":"comment","comment":"a"}`, `2 {"kind":"event","event":{"type":"message","data":"x","id":"1"}}`,
		`3 {"kind":"comment","comment":"b"}`, `4 {"kind":"event","event":{"type":"heard","data":"y","id":"1"}}`,
		`5 {"kind":"event","event":{"type":"message","data":"z","id":"2"}}`)
	send("POST", at, `{"command":"restart"}`, http.StatusOK)
	expect("requested", requests, "b h 0", "b h 2", "b h 2")
	send("POST", at, `{"command":"fly"}`, http.StatusBadRequest)
	send("POST", at+"9", `{"command":"restart"}`, http.StatusNotFound)
	send("DELETE", at, "", http.StatusNoContent)
	if len(said)+len(requests) > 0 {
		t.Error("more was reported or requested")
	}
}
