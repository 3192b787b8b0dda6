package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"runs-mcp-server/internal/sandbox"
)

// upstream is a sandbox with many faults.
type upstream struct {
	url  string
	box  *sandbox.Sandbox
	http *http.Server

	refused, limited, cut, lost, slow atomic.Int64 // answers
}

func newUpstream(ctx context.Context) (*upstream, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{url: "http://" + l.Addr().String(), box: sandbox.New(sandbox.Options{Keys: append(keys(), timedKey, hostileKey)})}
	u.http = &http.Server{Handler: u, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = u.http.Serve(l) }()
	return u, nil
}

func (u *upstream) close() {
	u.box.Close()
	_ = u.http.Close()
}

// timedKey is the API key of the callers whose calls are timed. The upstream has no
// faults for it.
const timedKey = "key-of-a-timed-caller"

// keys returns the API keys of the other good clients.
func keys() []string {
	var keys []string
	for i := range 8 {
		keys = append(keys, fmt.Sprintf("key-of-a-soaking-caller-%d", i))
	}
	return keys
}

// ServeHTTP answers from the sandbox, or with a fault.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("x-api-key") == timedKey {
		u.box.ServeHTTP(w, r)
		return
	}
	stream := strings.HasSuffix(r.URL.Path, "/sse")
	switch chance := rand.IntN(100); {
	case chance < 3:
		u.refused.Add(1)
		w.WriteHeader([]int{500, 502, 503, 504}[rand.IntN(4)])
		return
	case chance < 5:
		u.limited.Add(1)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case chance < 8: // the answer is lost, but the request may take effect
		u.lost.Add(1)
		if !stream {
			u.box.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	case chance < 20 || stream && chance < 50:
		u.cut.Add(1)
		w = &breaking{ResponseWriter: w, left: rand.IntN(2000)}
	case chance < 30:
		u.slow.Add(1)
		pause(r.Context(), time.Duration(rand.IntN(300))*time.Millisecond)
	}
	u.box.ServeHTTP(w, r)
}

// String lists the requests and faults.
func (u *upstream) String() string {
	s := u.box.Stats()
	return fmt.Sprintf("%d requests, %d runs, %d decisions, %d aborts, %d streams; %d answered 5xx, %d answered 429, %d lost, %d slow, %d to be cut off",
		s.Requests, s.Creates, s.Approvals+s.Denials, s.Aborts, s.StreamsOpened, u.refused.Load(), u.limited.Load(), u.lost.Load(), u.slow.Load(), u.cut.Load())
}

// breaking breaks the connection off after "left" bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		_, _ = b.ResponseWriter.Write(p[:len(p)+b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// Unwrap makes http.ResponseController work.
func (b *breaking) Unwrap() http.ResponseWriter { return b.ResponseWriter }
