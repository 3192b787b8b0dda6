package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a Sandbox that listens on the loopback interface.
type Server struct {
	sandbox *Sandbox
	http    *http.Server
	url     string
	served  chan error // receives the result of Serve, once
}

// Listen starts a sandbox on addr, such as "127.0.0.1:8081"; port 0 takes a free
// one. It refuses an address that is not loopback, because the sandbox's key is no
// secret. The context bounds the start only; Close ends the server.
func Listen(ctx context.Context, addr string, o Options) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox address: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("sandbox address %q is not loopback: use 127.0.0.1, [::1] or localhost", addr)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() { // "localhost" may be another host
		return nil, errors.Join(fmt.Errorf("sandbox address %q resolves to %s, which is not loopback", addr, l.Addr()), l.Close())
	}
	s := &Server{sandbox: New(o), url: "http://" + l.Addr().String(), served: make(chan error, 1)}
	s.http = &http.Server{
		Handler:           s.sandbox,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second, // streams set theirs anew for every frame
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	go func() { s.served <- s.http.Serve(l) }()
	return s, nil
}

// URL returns the base URL, without a final slash.
func (s *Server) URL() string { return s.url }

// Sandbox returns the sandbox that is served.
func (s *Server) Sandbox() *Sandbox { return s.sandbox }

// Close ends all runs and streams and waits for them. It gives other requests half
// a second, and closes every connection. A second call does nothing.
func (s *Server) Close() error {
	s.sandbox.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // also for connections that sent no request
		err = s.http.Close()
	}
	if served, first := <-s.served; first {
		close(s.served)
		if !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return err
}
