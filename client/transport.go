package client

import (
	"net/http"
	"time"
)

const (
	// headerTimeout bounds the wait for the headers of any answer, streams included.
	headerTimeout = 25 * time.Second
	// pingAfter is how long an HTTP/2 connection may be silent before it is pinged,
	// and pingTimeout how long the answer may take. A server that is gone without
	// closing the connection is found out in time for another try.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
	// connBuffer is the size in bytes of the two buffers of an HTTP/1 connection.
	// Each watched run has a connection, whose frames are small. Larger reads and
	// writes go past the buffers. A longer header takes several reads.
	connBuffer = 512
)

// newTransport returns a transport. With once it opens a connection for each
// request, over HTTP/1. On others net/http itself sends a request again, when a
// reused connection breaks or an HTTP/2 server refuses the stream; and a server
// that closes an idle connection just then would leave the outcome unknown.
func newTransport(once bool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = headerTimeout
	t.MaxIdleConnsPerHost = 64
	t.MaxResponseHeaderBytes = 64 << 10
	t.ReadBufferSize, t.WriteBufferSize = connBuffer, connBuffer
	t.OnProxyConnectResponse = checkProxy
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	if once {
		t.DisableKeepAlives = true
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	}
	return t
}

// newHTTPClient returns a client that follows no redirect: one would carry the key
// to another origin or turn a POST into a GET.
func newHTTPClient(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
