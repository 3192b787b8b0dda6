package doctor

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// page answers every request in the same way.
func page(status int, body string, headers ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// examine checks an address, and the key if the address serves.
func examine(t *testing.T, address string, key client.Key) *Report {
	t.Helper()
	api, err := client.New(client.Options{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	u, _ := url.Parse(address)
	d := newDoctor(Options{API: api, URL: u, Caller: client.Caller{Key: key}})
	if d.checkAddress(t.Context()) {
		d.checkKey(t.Context())
	}
	return d.Report
}

// TestAddress holds what is said of the API's address and of its clock.
func TestAddress(t *testing.T) {
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	secure := httptest.NewUnstartedServer(page(401, ""))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	clock := func(skew time.Duration) string {
		return serve(page(401, "", "Date", time.Now().Add(skew).UTC().Format(http.TimeFormat)))
	}
	for _, tt := range []struct {
		name, url string
		status    Status
		says      string
	}{
		{"nothing listens", closed.URL, Failed, "takes no connection"},
		{"no such host", "https://no-such-host.invalid", Failed, "cannot be looked up"},
		{"a certificate of nobody", secure.URL, Failed, "no TLS connection"},
		{"plain HTTP", strings.Replace(serve(page(200, "")), "http:", "https:", 1), Failed, "no TLS connection"},
		{"a redirect", serve(http.RedirectHandler("https://elsewhere.test/", http.StatusMovedPermanently)), Failed, "redirects elsewhere (301)"},
		{"a web page", serve(page(200, "<html>")), Failed, "not as the Run API does"},
		{"another server", serve(page(404, "no")), Failed, "not as the Run API does"},
		{"a gateway", serve(page(503, "")), Failed, "answered 503"},
		{"a clock ahead", clock(-10 * time.Minute), Warning, "ahead of the API's"},
		{"a clock behind", clock(10 * time.Minute), Warning, "behind the API's"},
		{"an API", clock(0), OK, "clock"},
		{"an API with a name", strings.Replace(clock(0), "127.0.0.1", "localhost", 1), OK, "clock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := examine(t, tt.url, "")
			r.Checks = drop(r.Checks, "there is no usable key")
			if tt.status == OK {
				tt.says = "agrees with the API's"
			}
			checkOne(t, r, tt.status, tt.says)
			if i := len(r.Checks) - 1; r.Checks[i].Name == "answer" && strings.HasPrefix(r.Checks[i].Fix, "Try again later") != (tt.name == "a gateway") {
				t.Errorf("the fix is %q", r.Checks[i].Fix)
			}
			_, host, _ := strings.Cut(tt.url, "//")
			isName := !strings.HasPrefix(host, "127.")
			if told := slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == "DNS" }); told != isName {
				t.Errorf("the look-up of %s is told: %t", host, told)
			}
		})
	}
}

// TestClock holds by how much the clocks may differ. The API's time is cut to the second.
func TestClock(t *testing.T) {
	date := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		sent, answered time.Duration // after the API's time
		says           string
	}{
		{0, 0, "agrees with the API's"},
		{time.Second + maxSkew, time.Hour, "agrees with the API's"},
		{time.Second + maxSkew + 1, time.Hour, "1m0s ahead of the API's"},
		{time.Second + 2*maxSkew, time.Hour, "2m0s ahead of the API's"},
		{-time.Hour, -maxSkew, "agrees with the API's"},
		{-time.Hour, -maxSkew - 1, "1m0s behind the API's"},
		{-time.Hour, -2 * maxSkew, "2m0s behind the API's"},
	} {
		d := newDoctor(Options{})
		d.checkClock(client.Probe{Date: date, SentAt: date.Add(tt.sent), AnsweredAt: date.Add(tt.answered)})
		if got := d.Checks[0].Detail; !strings.HasSuffix(got, tt.says) {
			t.Errorf("sent at %v, answered at %v: %s", tt.sent, tt.answered, got)
		}
	}
}

// drop returns checks without those whose detail is text.
func drop(checks []Check, text string) (out []Check) {
	for _, c := range checks {
		if c.Detail != text {
			out = append(out, c)
		}
	}
	return out
}

// TestKey holds that a wrong key, a key without permission and an API in trouble are told
// apart.
func TestKey(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.Handler
		status Status
		says   string
	}{
		{"accepted", page(200, "[]"), OK, "accepts the key"},
		{"wrong", page(401, `{"message":"no"}`), Failed, "refuses the key (401)"},
		{"no permission", page(403, `{"message":"no"}`), Failed, "does not let it list runs (403)"},
		{"trouble", page(422, `{"message":"odd"}`), Failed, "odd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("x-api-key") == "" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				tt.answer.ServeHTTP(w, r)
			}))
			defer server.Close()
			r := examine(t, server.URL, "k-0123456789")
			r.Checks = drop(r.Checks, "the API did not list the runs of the key")
			checkOne(t, r, tt.status, tt.says)
		})
	}
}
