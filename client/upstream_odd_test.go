package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTakenBack: net/http sends a request again, at once and for ever, if an HTTP/2
// server closes each connection with GOAWAY. A try takes at most maxConns
// connections, and a create or approval is sent once.
func TestTakenBack(t *testing.T) {
	each := int64(maxConns * standardPolicy().tries)
	for name, want := range map[string]int64{"get": each, "list": each, "abort": each, "stream": maxConns, "create": 1, "approve": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits before it tries again
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"h2", "http/1.1"}})
			if err != nil {
				t.Fatal(err)
			}
			var requests atomic.Int64
			accept(t, l, func(conn net.Conn) { goAway(conn, &requests) })
			c, err := New(Options{URL: "https://" + l.Addr().String()})
			if err != nil {
				t.Fatal(err)
			}
			for _, hc := range []*http.Client{c.calls, c.once} {
				hc.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			err = operations(c)[name](ctx)
			cancel()
			if n := requests.Load(); err == nil || n != want {
				t.Errorf("%d requests, want %d; %v", n, want, err)
			}
			c.Close()
		})
	}
}

// accept serves every connection until the test ends, which closes them.
func accept(t *testing.T, l net.Listener, serve func(net.Conn)) {
	var serving sync.WaitGroup
	ended, end := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ended, func() { conn.Close() })()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		end()
		serving.Wait()
	})
}

// goAway serves a connection over HTTP/2 and goes away at its first request,
// which it says it did not see.
func goAway(conn net.Conn, requests *atomic.Int64) {
	frame := func(kind, flags byte, payload []byte) {
		conn.Write(append([]byte{0, 0, byte(len(payload)), kind, flags, 0, 0, 0, 0}, payload...))
	}
	preface := make([]byte, 24)
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	if !strings.HasPrefix(string(preface), "PRI") {
		requests.Add(1) // over HTTP/1, to be broken off
		return
	}
	const headers, settings, away = 1, 4, 7
	frame(settings, 0, nil)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(append([]byte{0}, head[:3]...)))); err != nil {
			return
		}
		switch {
		case head[3] == settings && head[4] == 0:
			frame(settings, 1, nil)
		case head[3] == headers:
			requests.Add(1)
			frame(away, 0, make([]byte, 8))
			conn.(*tls.Conn).CloseWrite()
			conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // the client closes when it has read it
			io.Copy(io.Discard, conn)
			return
		}
	}
}

// operations are the calls of a client by name.
func operations(c *Client) map[string]func(context.Context) error {
	who := Caller{Key: "k"}
	return map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := c.GetRun(ctx, who, onceRun, true); return err },
		"list":   func(ctx context.Context) error { _, err := c.ListRuns(ctx, who, ListRunsQuery{}); return err },
		"abort":  func(ctx context.Context) error { return c.AbortRun(ctx, who, onceRun) },
		"create": func(ctx context.Context) error { _, err := c.CreateRun(ctx, who, CreateRunRequest{}); return err },
		"approve": func(ctx context.Context) error {
			return c.Approve(ctx, who, "a-token")
		},
		"stream": func(ctx context.Context) error {
			s, err := c.OpenStream(ctx, who, onceRun, "")
			if err == nil {
				s.Close()
			}
			return err
		},
	}
}

// TestSwitchingProtocols: an answer of 101 is a connection that speaks something
// else from there on, and has no end to be read to.
func TestSwitchingProtocols(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		io.Copy(io.Discard, conn)
	})
	c, err := New(Options{URL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	for name, op := range operations(c) {
		want := Invalid
		if name == "abort" || name == "create" || name == "approve" {
			want = OutcomeUnknown
		}
		if err := op(t.Context()); KindOf(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	c.Close()
}
