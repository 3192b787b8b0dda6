package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// answering returns a client of a server that gives the same answer to everything. It
// tries once.
func answering(t *testing.T, status int, body string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := New(Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	c.retries.tries = 1
	t.Cleanup(c.Close)
	return c
}

// callOf makes one call and returns its error.
func callOf(ctx context.Context, c *Client, op string) *Error {
	var err error
	who := Caller{Key: "key-of-a-test"}
	switch op {
	case "get":
		_, err = c.GetRun(ctx, who, onceRun, false)
	case "list":
		_, err = c.ListRuns(ctx, who, ListRunsQuery{})
	case "create":
		_, err = c.CreateRun(ctx, who, CreateRunRequest{Context: "secret-context"})
	case "approve":
		err = c.Approve(ctx, who, "secret&token")
	}
	e, _ := errors.AsType[*Error](err)
	return e
}

// TestStatusMessages: our message for each status. It depends on whether the
// operation is on a run, and on whether it has an effect.
func TestStatusMessages(t *testing.T) {
	const (
		noKey    = "the Run API refused the API key"
		noRight  = "the API key may not do this"
		noRun    = "the Run API knows no such run under this API key"
		noThing  = "the Run API knows no such resource under this API key"
		noArg    = "the Run API knows nothing of what an argument names (404), or the address is that of another API"
		conflict = "the state of the run does not allow this"
		slow     = "the Run API asks to slow down"
		answered = "the Run API answered %d"
		refused  = "the Run API refused the request (%d)"
		odd      = "the Run API answered an unexpected status %d"
		unclear  = "the Run API answered %d; whether the request took effect is unknown"
	)
	for _, tt := range []struct {
		status                     int
		get, list, approve, create string
	}{
		{400, refused, refused, refused, refused},
		{401, noKey, noKey, noKey, noKey},
		{403, noRun, noRight, noRight, noRight},
		{404, noRun, noArg, noThing, noArg},
		{405, odd, odd, odd, odd},
		{407, odd, odd, odd, odd},
		{408, answered, answered, unclear, unclear},
		{409, conflict, conflict, conflict, conflict},
		{410, noRun, noThing, noThing, noThing},
		{425, answered, answered, unclear, unclear},
		{429, slow, slow, slow, slow},
		{499, refused, refused, refused, refused},
		{500, answered, answered, unclear, unclear},
		{599, answered, answered, unclear, unclear},
		{600, answered, answered, unclear, unclear},
	} {
		c := answering(t, tt.status, `{"error":"x"}`)
		for op, want := range map[string]string{"get": tt.get, "list": tt.list, "approve": tt.approve, "create": tt.create} {
			want = strings.ReplaceAll(want, "%d", fmt.Sprint(tt.status))
			c.callers = newCallers() // or a 401 refuses the next call
			e := callOf(t.Context(), c, op)
			if e == nil || e.Message != want || e.Status != tt.status || e.quoted {
				t.Errorf("%s %d: %+v, want %q", op, tt.status, e, want)
			}
			if fault := e.outcome() == failure; fault != (tt.status >= 500) {
				t.Errorf("%s %d is a fault of the API: %t", op, tt.status, fault)
			}
		}
	}
}

// TestForeignMessages: answers that did not come from the API, before it has
// answered once and afterwards.
func TestForeignMessages(t *testing.T) {
	const (
		redirects = "the address of the Run API redirects elsewhere (%d); that is not followed"
		none      = "the address answered %d and not as the Run API does: it serves none"
		instead   = "something answered %d in the place of the Run API"
	)
	for _, tt := range []struct {
		status        int
		body          string
		first, second string // "" for an answer of the API
	}{
		{300, "", redirects, instead},
		{301, `{"message":"x"}`, redirects, instead},
		{399, "", redirects, instead},
		{400, "speak HTTPS", none, instead},
		{400, "speak plainly", "", ""},
		{400, `{"message":"HTTPS"}`, "", ""},
		{403, "", none, instead},
		{404, "[]", none, instead},
		{405, `{"detail":1}`, none, instead},
		{410, "gone", none, instead},
		{402, "", "", ""},
		{411, "", "", ""},
		{500, "", "", ""},
	} {
		c := answering(t, tt.status, tt.body)
		for _, served := range []bool{false, true} {
			c.served.Store(served)
			want, kind := tt.first, Misconfigured
			if served {
				want, kind = tt.second, Unavailable
			}
			e := callOf(t.Context(), c, "get")
			if want == "" && (e.Kind == kind && tt.status < 500 || strings.Contains(e.Message, "address")) {
				t.Errorf("%d %q: %v", tt.status, tt.body, e)
			}
			if want = strings.ReplaceAll(want, "%d", fmt.Sprint(tt.status)); want != "" && (e.Message != want || e.Kind != kind) {
				t.Errorf("%d %q, served %t: %v, want %s", tt.status, tt.body, served, e, want)
			}
		}
	}
}

// TestAPIMessage: the API's message becomes one line. Secrets of the request are
// removed, plain and URL-encoded, and so is the API's address.
func TestAPIMessage(t *testing.T) {
	for _, tt := range []struct{ said, want string }{
		{`{"message":"too\n short"}`, "too short"},
		{`{"message":["one","two"]}`, "one; two"},
		{`{"message":"key-of-a-test, secret-context"}`, "[removed], [removed]"},
		{`{"message":"secret&token or secret%26token"}`, "[removed] or [removed]"},
		{`{"message":"at ADDRESS"}`, "at [removed]"},
		{`{"message":"at http://ADDRESS/"}`, "at [removed]/"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(422)
			io.WriteString(w, strings.ReplaceAll(tt.said, "ADDRESS", r.Host))
		}))
		c, err := New(Options{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		op := "create"
		if strings.Contains(tt.said, "token") {
			op = "approve"
		}
		if e := callOf(t.Context(), c, op); e.Message != tt.want || !e.quoted {
			t.Errorf("%s: got %q, want %q", tt.said, e.Message, tt.want)
		}
		c.Close()
		server.Close()
	}
	for secret, want := range map[string]string{"abcd": "[removed] abc", "abc": "abcd abc"} {
		if got := apiMessage([]byte(`{"message":"abcd abc"}`), []string{secret}); got != want {
			t.Errorf("without %q: %q, want %q", secret, got, want)
		}
	}
	for _, none := range []string{``, `[]`, `{}`, `{"message":5}`, `{"message":[1]}`} {
		if got := apiMessage([]byte(none), nil); got != "" {
			t.Errorf("%s says %q", none, got)
		}
	}
}

// errTimeout is a network's timeout.
type errTimeout struct{ error }

func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

// TestCauses: the words for each network error, and whether another try could help.
func TestCauses(t *testing.T) {
	dial := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	system := func(errno syscall.Errno) error { return dial("dial", os.NewSyscallError("connect", errno)) }
	invalid := func(reason x509.InvalidReason) error {
		return &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: reason}}
	}
	for _, tt := range []struct {
		err       error
		words     string
		permanent bool
	}{
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, "its TLS certificate is for another host", true},
		{invalid(x509.Expired), "its TLS certificate has expired or is not valid yet", true},
		{invalid(x509.NotAuthorizedToSign), "its TLS certificate is not valid", true},
		{x509.CertificateInvalidError{Reason: x509.TooManyIntermediates}, "its TLS certificate is not valid", true},
		{x509.UnknownAuthorityError{}, "its TLS certificate is signed by an authority that this machine does not trust", true},
		{dial("proxyconnect", system(syscall.ECONNREFUSED)), "the HTTP proxy on the way to it: it refuses connections", false},
		{dial("proxyconnect", x509.UnknownAuthorityError{}), "its TLS certificate is signed by an authority that this machine does not trust", true},
		{dial("proxyconnect", errors.New("x")), "the HTTP proxy on the way to it cannot be reached", false},
		{&proxyError{407}, "the HTTP proxy on the way to it answered 407", true},
		{&proxyError{499}, "the HTTP proxy on the way to it answered 499", true},
		{&proxyError{500}, "the HTTP proxy on the way to it answered 500", false},
		{&net.DNSError{IsNotFound: true}, "its host name is unknown", false},
		{&net.DNSError{}, "its host name could not be looked up", false},
		{http.ErrSchemeMismatch, "its address is https, but it answers plain HTTP", true},
		{system(syscall.ECONNREFUSED), "it refuses connections", false},
		{system(syscall.ENETUNREACH), "there is no route to it", false},
		{system(syscall.EHOSTUNREACH), "there is no route to it", false},
		{system(syscall.ECONNRESET), "the connection broke", false},
		{system(syscall.EPIPE), "the connection broke", false},
		{io.EOF, "the connection broke", false},
		{io.ErrUnexpectedEOF, "the connection broke", false},
		{errTimeout{errors.New("x")}, "it did not answer in time", false},
		{dial("read", errors.New("x")), "", false},
		{errors.New("x"), "", false},
	} {
		words, permanent := causeWords(fmt.Errorf("of the net: %w", tt.err))
		if words != tt.words || permanent != tt.permanent {
			t.Errorf("%v: %q, permanent %t; want %q, %t", tt.err, words, permanent, tt.words, tt.permanent)
		}
	}
}

// TestSendErrors: the kind of a request without an answer depends on its effect, on
// whether it may have been sent, and on whose time was up.
func TestSendErrors(t *testing.T) {
	live := t.Context()
	canceled, cancel := context.WithCancel(live)
	cancel()
	late, cancel := context.WithTimeout(live, 0)
	defer cancel()
	dead, kill := context.WithCancelCause(live)
	kill(context.DeadlineExceeded)
	const (
		unreachable = "the Run API could not be reached"
		broke       = unreachable + ": the connection broke"
		ended       = "the call was ended before the answer came; whether it took effect is unknown"
		lost        = "the connection broke after the request was sent; whether it took effect is unknown"
		timeout     = "the Run API did not answer in time"
		gone        = "the caller went away"
		scheme      = unreachable + ": its address is https, but it answers plain HTTP"
	)
	broken := errors.New("x")
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		effect effect
		sent   bool
		err    error
		kind   Kind
		words  string
		fault  bool
	}{
		{"a read, not sent", live, safe, false, broken, Unavailable, unreachable, true},
		{"a read, sent", live, safe, true, broken, Unavailable, broke, true},
		{"a change, not sent", live, notIdempotent, false, broken, Unavailable, unreachable, true},
		{"a change, sent", live, notIdempotent, true, broken, OutcomeUnknown, lost, true},
		{"a read, canceled", canceled, safe, true, canceled.Err(), Canceled, gone, false},
		{"a change, canceled before", canceled, idempotent, false, canceled.Err(), Canceled, gone, false},
		{"a change, canceled", canceled, idempotent, true, canceled.Err(), OutcomeUnknown, ended, false},
		{"a read, late", late, safe, true, late.Err(), Timeout, timeout, true},
		{"a change, late before it was sent", late, oneTime, false, late.Err(), Timeout, timeout, true},
		{"a change, late", late, oneTime, true, late.Err(), OutcomeUnknown, lost, true},
		{"a stream, late", dead, safe, true, dead.Err(), Timeout, timeout, true},
		{"a deadline of the transport", live, safe, true, context.DeadlineExceeded, Timeout, timeout, true},
		{"a wrong address", live, safe, true, http.ErrSchemeMismatch, Misconfigured, scheme, false},
		{"a change at a wrong address", live, notIdempotent, false, http.ErrSchemeMismatch, Misconfigured, scheme, false},
	} {
		e := sendError(tt.ctx, request{op: "x", effect: tt.effect}, tt.sent, tt.err)
		if e.Kind != tt.kind || e.Message != tt.words || e.fault != tt.fault || !errors.Is(e, tt.err) {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}

// TestDetail: the cause goes to the log if no answer came.
func TestDetail(t *testing.T) {
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{&Error{}, ""},
		{&Error{cause: errors.New("10.0.0.1 refused")}, "10.0.0.1 refused"},
		{&Error{Status: 502, cause: errors.New("x")}, ""},
	} {
		if got := tt.err.Detail(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

// TestBodyErrors: after an unusable answer the outcome of a change is unknown. Only
// a cut off answer counts as a failure of the API.
func TestBodyErrors(t *testing.T) {
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "{")
	}))
	t.Cleanup(cut.Close)
	broken, err := New(Options{URL: cut.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broken.Close)
	broken.retries.tries = 1
	odd := answering(t, 200, "{}")
	const (
		cutOff   = "the answer of the Run API was cut off; the request probably took effect"
		contract = "the answer of the Run API is not what its contract says"
	)
	for _, tt := range []struct {
		c     *Client
		op    string
		kind  Kind
		words string
		want  outcome
	}{
		{broken, "create", OutcomeUnknown, cutOff, failure},
		{broken, "get", Unavailable, "the Run API could not be reached: the connection broke", failure},
		{odd, "create", OutcomeUnknown, contract + "; the request probably took effect", success},
		{odd, "get", Invalid, contract, success},
	} {
		if e := callOf(t.Context(), tt.c, tt.op); e.Kind != tt.kind || e.Message != tt.words || e.outcome() != tt.want {
			t.Errorf("%s: %+v", tt.op, e)
		}
	}
}
