package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHalfOpenConnection: a ping finds a server that is gone without closing the
// connection. A waiting read is tried again in time, and a stream ends long before
// maxSilence.
func TestHalfOpenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("%s over %s", r.URL.Path, r.Proto)
			}
			if r.URL.Path == "/v1/runs/"+onceRun {
				fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING"}`, onceRun)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "id: 1\nevent: start\ndata: {}\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		s, err := wire.OpenStream(t.Context(), Caller{Key: "k"}, onceRun, "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Second) // pings are answered meanwhile
		if wire.dials != 1 {
			t.Fatalf("%d connections while the peer was there", wire.dials)
		}
		wire.cut()
		start := time.Now()
		if _, err := wire.GetRun(t.Context(), Caller{Key: "k"}, onceRun, false); err != nil || wire.dials != 2 {
			t.Errorf("a read after %v, over %d connections: %v", time.Since(start), wire.dials, err)
		}
		if took := time.Since(start); took > pingAfter+pingTimeout+time.Second {
			t.Errorf("found out after %v", took)
		}
		if _, err := s.Next(); err == nil || time.Since(start) > maxSilence/2 {
			t.Errorf("the stream ended after %v: %v", time.Since(start), err)
		}
	})
}

// wire is a client of a server over connections in memory, encrypted, of
// which a test can cut the first.
type wire struct {
	*Client
	accept chan net.Conn
	first  *mutedConn
	dials  int
}

func newWire(t *testing.T, h http.Handler) *wire {
	t.Helper()
	c, err := New(Options{URL: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Client: c, accept: make(chan net.Conn)}
	transport := c.calls.Transport.(*http.Transport)
	transport.Proxy = nil
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // of a certificate made for the test
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		w.accept <- far
		muted := &mutedConn{Conn: near, closed: make(chan struct{}), cut: make(chan struct{})}
		if w.dials++; w.dials == 1 {
			w.first = muted
		}
		return muted, nil
	}
	server := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(t)}}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.ServeTLS(pipeListener{w.accept}, "", "")
	}()
	t.Cleanup(func() {
		w.Close()
		server.Close()
		<-served
	})
	return w
}

func (w *wire) cut() { close(w.first.cut) }

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pipeListener accepts what is sent to it, until it is closed.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l pipeListener) Close() error {
	close(l.conns)
	return nil
}

func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// mutedConn is a connection that, once cut, swallows writes and delivers no reads.
type mutedConn struct {
	net.Conn
	cut, closed chan struct{}
	once        sync.Once
}

func (c *mutedConn) Write(p []byte) (int, error) {
	select {
	case <-c.cut:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

func (c *mutedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.cut:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *mutedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
