package client_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"runs-mcp-server/client"
)

// TestReasons: an error says in safe words why there was no answer. Addresses stand
// in its detail alone, for the log.
func TestReasons(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	selfSigned := httptest.NewTLSServer(http.NotFoundHandler())
	defer selfSigned.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, tt := range []struct {
		name, url, words string
		kind             client.Kind
	}{
		{"refused", closed.URL, "the Run API could not be reached: it refuses connections", client.Unavailable},
		{"unknown authority", selfSigned.URL, "its TLS certificate is signed by an authority that this machine does not trust", client.Misconfigured},
		{"plain HTTP", strings.Replace(plain.URL, "http:", "https:", 1), "its address is https, but it answers plain HTTP", client.Misconfigured},
		{"TLS", strings.Replace(selfSigned.URL, "https:", "http:", 1), "the address answered 400 and not as the Run API does", client.Misconfigured},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := client.New(client.Options{URL: tt.url})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.GetRun(t.Context(), caller, testRun, false)
			if client.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("got %v", err)
			}
			e, _ := errors.AsType[*client.Error](err)
			if e.Status == 0 && e.Detail() == "" || strings.Contains(e.Detail(), testRun) {
				t.Errorf("the detail is %q", e.Detail())
			}
		})
	}
}

// TestNoToken: the detail of a failed decision does not quote its URL.
func TestNoToken(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	c, err := client.New(client.Options{URL: closed.URL})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := errors.AsType[*client.Error](c.Approve(t.Context(), caller, "secret-token"))
	if e.Detail() == "" || strings.Contains(e.Detail(), "secret-token") {
		t.Errorf("the detail is %q", e.Detail())
	}
}

// failing is a network on which every connection fails.
func failing(cause error) (http.RoundTripper, *atomic.Int64) {
	tries := new(atomic.Int64)
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		tries.Add(1)
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: cause}
	}), tries
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestFinalReasons: a request is sent once if another try cannot help.
func TestFinalReasons(t *testing.T) {
	for _, tt := range []struct {
		cause error
		words string
		tries int64
	}{
		{&net.DNSError{Err: "no such host", Name: "api.test", IsNotFound: true}, "its host name is unknown", 3},
		{&net.DNSError{Err: "server misbehaving", Name: "api.test"}, "its host name could not be looked up", 3},
		{&tls.CertificateVerificationError{Err: errors.New("x")}, "its TLS certificate is not valid", 1},
		{http.ErrSchemeMismatch, "it answers plain HTTP", 1},
		{io.ErrUnexpectedEOF, "the connection broke", 3},
	} {
		rt, tries := failing(fmt.Errorf("dial: %w", tt.cause))
		c, err := client.New(client.Options{URL: "https://api.test", Transport: rt})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.GetRun(t.Context(), caller, testRun, false)
		if !strings.Contains(fmt.Sprint(err), tt.words) || tries.Load() != tt.tries || strings.Contains(fmt.Sprint(err), "api.test") {
			t.Errorf("%v: %d tries, %v", tt.cause, tries.Load(), err)
		}
	}
}

// TestNoAPI: an address that never answers as the API does is misconfigured.
func TestNoAPI(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<html>nothing here</html>", http.StatusNotFound)
	})
	get := func() error {
		_, err := c.GetRun(t.Context(), caller, testRun, false)
		return err
	}
	if err := get(); client.KindOf(err) != client.Misconfigured || !strings.Contains(err.Error(), "it serves none") {
		t.Errorf("never an API: %v", err)
	}
	if err := c.AbortRun(t.Context(), caller, testRun); client.KindOf(err) != client.Misconfigured {
		t.Errorf("an abort: %v", err)
	}
	if _, err := c.CreateRun(t.Context(), caller, client.CreateRunRequest{}); client.KindOf(err) != client.Misconfigured {
		t.Errorf("a create: %v", err)
	}
	if _, err := c.GetPlan(t.Context(), caller, "p"); !client.Lacking(err) {
		t.Errorf("a neighbour of the contract: %v", err)
	}
}

// TestNotFoundIsTheAPIs: a 404 counts as "no such run" only if the API itself sent
// it. After the API was seen once, another 404 is an outage.
func TestNotFoundIsTheAPIs(t *testing.T) {
	body := atomic.Value{}
	body.Store(`{"statusCode":404,"message":"Run not found"}`)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, body.Load().(string))
	})
	get := func() client.Kind {
		_, err := c.GetRun(t.Context(), caller, testRun, false)
		return client.KindOf(err)
	}
	if kind := get(); kind != client.NotFound {
		t.Errorf("the API's 404 is %q", kind)
	}
	for _, other := range []string{"", "default backend - 404", "<html></html>", "[]", "{}"} {
		body.Store(other)
		if kind := get(); kind != client.Unavailable {
			t.Errorf("a 404 of %q is %q", other, kind)
		}
	}
}
