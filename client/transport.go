package client

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"runs-mcp-server/internal/loopback"
)

const (
	// headerTimeout bounds the wait for the headers of any answer, streams included.
	headerTimeout = 25 * time.Second
	// pingAfter is how long a connection may be silent before it is pinged
	// (HTTP/2), and pingTimeout how long the answer may take: a peer that is
	// gone without a word is found out in time for another try.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// newTransport returns a transport. One for what must arrive at most once
// opens a connection for each request, over HTTP/1: net/http itself sends a
// request again when a connection breaks that was used before, or when an
// HTTP/2 server takes it back; and a server that closes an idle connection
// just then would leave the outcome unknown.
func newTransport(once bool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = headerTimeout
	t.MaxIdleConnsPerHost = 64
	t.MaxResponseHeaderBytes = 64 << 10
	t.OnProxyConnectResponse = checkProxy
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	if once {
		t.DisableKeepAlives = true
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	}
	return t
}

func newHTTPClient(rt http.RoundTripper) *http.Client {
	// A redirect would carry the key to another origin or turn a POST into a GET.
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: rt, CheckRedirect: refuse}
}

func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("the API address is not a URL like " + DefaultURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the API address must not hold a user, a query or a fragment")
	case u.Port() != "" && !validPort(u.Port()):
		return nil, errors.New("the API address has a port that is none")
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return u, nil
	default:
		return nil, errors.New("the API address must be https (http is for loopback only), or the key would travel in the clear")
	}
}

// validPort reports whether a port is a number from 1 to 65535.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
