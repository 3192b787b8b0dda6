package sandbox_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/internal/sandbox"
)

// pipe is a server on in-memory connections, so that a bubble's clock rules
// its deadlines.
type pipe struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipe) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p *pipe) Close() error {
	p.once.Do(func() { close(p.conns) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.IPAddr{} }

// watch creates a run by a recorder and opens its stream on a pipe, whose
// server has the timeouts of Listen.
func watch(t *testing.T, s *sandbox.Sandbox, line string) (net.Conn, *bufio.Reader) {
	t.Helper()
	created := httptest.NewRequest("POST", "/v1/runs", strings.NewReader(
		`{"intent":"i","userId":"u","selectedCustomerIntegrationIds":["*"],"context":"sandbox: `+line+`"}`))
	created.Header.Set("Content-Type", "application/json")
	created.Header.Set("x-api-key", sandbox.DefaultKey)
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, created)
	_, rest, ok := strings.Cut(answer.Body.String(), `"runId":"`)
	if !ok {
		t.Fatal(answer.Body)
	}
	l := &pipe{conns: make(chan net.Conn, 1)}
	server := &http.Server{Handler: s, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	near, far := net.Pipe()
	l.conns <- far
	t.Cleanup(func() {
		_ = near.Close()
		s.Close()
		_ = server.Close()
		<-served
	})
	request := "GET /v1/runs/" + rest[:36] + "/sse HTTP/1.1\r\nHost: x\r\nx-api-key: " + sandbox.DefaultKey + "\r\n\r\n"
	if _, err := near.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	return near, bufio.NewReader(near)
}

// TestHeartbeat reads a silent stream for longer than every timeout of the
// server.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, reader := watch(t, sandbox.New(sandbox.Options{}), "queue_ms=3600000")
		for beat := 1; beat <= 6; {
			line, err := reader.ReadString('\n')
			if err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			if strings.TrimSpace(line) != "event: keepalive" {
				continue
			}
			if got, want := time.Since(began), time.Duration(beat)*20*time.Second; got != want {
				t.Errorf("heartbeat %d after %v, want %v", beat, got, want)
			}
			if data, _ := reader.ReadString('\n'); data != "data: null\n" {
				t.Errorf("heartbeat says %q", data)
			}
			beat++
		}
	})
}

// TestReaderThatNeverReads is dropped within the write limit; a pipe has no
// buffer, so the very first write waits.
func TestReaderThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{})
		watch(t, s, "queue_ms=3600000")
		synctest.Wait()
		if got := s.Stats().OpenStreams; got != 1 {
			t.Fatalf("%d streams open", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
		defer cancel()
		<-ctx.Done()
		synctest.Wait()
		if got := s.Stats().OpenStreams; got != 0 {
			t.Errorf("%d streams still open", got)
		}
	})
}

// TestPace follows a run by the sandbox's own pace: queue, steps and the end
// take one step each, authorisation five.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, reader := watch(t, sandbox.New(sandbox.Options{}), "steps=2 auth=required")
		for {
			line, err := reader.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "event: end\n" {
				break
			}
		}
		if got, want := time.Since(began), (1+5+2+1)*400*time.Millisecond; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}
