// Package hostile sends an MCP server over HTTP what hostile callers send. The tests of
// the whole program use it, and the soak.
package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxConns is how many connections a Caller holds open beside those of its HTTP client.
// Beyond it, the oldest is closed.
const maxConns = 1024

// Caller sends what it likes, from any number of goroutines. It ignores all errors: the
// server may refuse or break off everything.
type Caller struct {
	url  string
	host string
	http *http.Client

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

// NewCaller returns a caller of the server at a URL. Close closes what it leaves open.
func NewCaller(target string) (*Caller, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxConnsPerHost: 200, MaxIdleConnsPerHost: 200}
	return &Caller{url: target, host: u.Host, http: &http.Client{Transport: transport, Timeout: 20 * time.Second}}, nil
}

// Close closes all connections. Requests must have ended.
func (c *Caller) Close() {
	c.http.CloseIdleConnections()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// post sends a message, in a session unless that is "". It returns the header and the
// body of the response; both are empty if there is none.
func (c *Caller) post(ctx context.Context, key, session, message string) (header http.Header, body string) {
	headers := map[string]string{}
	if session != "" {
		headers["Mcp-Session-Id"] = session
	}
	return c.postWith(ctx, key, headers, message)
}

// postWith is post with any headers.
func (c *Caller) postWith(ctx context.Context, key string, headers map[string]string, message string) (header http.Header, body string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(message))
	if err != nil {
		return nil, ""
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("x-api-key", key)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.Header, string(text)
}

// open sends a request on a connection of its own, and reads no response. The
// header is complete if headers is empty or ends with a line break.
func (c *Caller) open(ctx context.Context, key, method, headers, body string) {
	head := fmt.Sprintf("%s /mcp HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\n%s", method, key, headers)
	if headers == "" || strings.HasSuffix(headers, "\r\n") {
		head += "\r\n"
	}
	c.write(ctx, head+body)
}

// write opens a connection and writes bytes to it. It returns nil if the server refuses
// the connection.
func (c *Caller) write(ctx context.Context, text string) net.Conn {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.host)
	if err != nil {
		return nil
	}
	c.hold(conn)
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, text)
	return conn
}

// hold keeps a connection open until Close, or until maxConns others came after it.
func (c *Caller) hold(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.conns) == maxConns {
		c.conns[0].Close()
		c.conns = c.conns[1:]
	}
	c.conns = append(c.conns, conn)
}
