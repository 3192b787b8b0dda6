package main

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// link holds the connections of one client, to cut them.
type link struct {
	key  string
	base *http.Transport

	mu     sync.Mutex // guards the rest
	conns  []net.Conn
	closed bool
}

func newLink(key string) *link {
	l := &link{key: key}
	l.base = &http.Transport{DialContext: l.dial}
	return l
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case l.closed:
		conn.Close()
		return nil, net.ErrClosed
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, net.ErrClosed
	}
	r = r.Clone(r.Context())
	r.Header.Set("x-api-key", l.key)
	return l.base.RoundTrip(r)
}

// cut closes all connections and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, conn := range l.conns {
		conn.Close()
	}
}
