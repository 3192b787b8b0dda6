package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"runs-mcp-server/client"
)

const (
	// stepTimeout bounds each step on the way to an address.
	stepTimeout = 5 * time.Second
	// probeTimeout bounds the wait for the API's answer.
	probeTimeout = 10 * time.Second
	// expiresSoon is when a certificate that ends is worth a warning.
	expiresSoon = 14 * 24 * time.Hour
	// maxSkew is how far the clocks may be apart: a create whose answer was lost is looked
	// for by time.
	maxSkew = time.Minute
)

// checkAddress checks the way to the API: name, connection, TLS, what answers there, and
// its clock. It reports whether the API answers.
func (d *doctor) checkAddress(ctx context.Context) bool {
	host := net.JoinHostPort(d.URL.Hostname(), cmp.Or(d.URL.Port(), map[string]string{"https": "443", "http": "80"}[d.URL.Scheme]))
	proxy, _ := http.ProxyFromEnvironment(&http.Request{URL: d.URL})
	if proxy != nil {
		host = proxy.Host
		d.ok(areaAPI, "way", "through the HTTP proxy %s, as the environment says", host)
	}
	if name, _, err := net.SplitHostPort(host); err == nil && !d.checkName(ctx, name) {
		return false
	}
	if !d.checkConnection(ctx, host) {
		return false
	}
	if proxy == nil && d.URL.Scheme == "https" && !d.checkTLS(ctx, host) {
		return false
	}
	return d.checkAnswer(ctx)
}

// checkName checks that a host has an address.
func (d *doctor) checkName(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		d.Add(areaAPI, "DNS", Failed, fmt.Sprintf("the host name %s cannot be looked up: %v", name, err), "Check --api-url (TR_API_URL), and that this machine has a network and a name server.")
		return false
	}
	if net.ParseIP(name) == nil {
		d.ok(areaAPI, "DNS", "%s has the address %s", name, addresses[0])
	}
	return true
}

// checkConnection checks that a host takes connections.
func (d *doctor) checkConnection(ctx context.Context, host string) bool {
	start := time.Now()
	conn, err := (&net.Dialer{Timeout: stepTimeout}).DialContext(ctx, "tcp", host)
	if err != nil {
		d.Add(areaAPI, "TCP", Failed, fmt.Sprintf("%s takes no connection: %v", host, err), "Check --api-url (TR_API_URL). If a firewall allows only an HTTP proxy, set HTTPS_PROXY.")
		return false
	}
	_ = conn.Close()
	d.ok(areaAPI, "TCP", "connected to %s in %s", host, milliseconds(time.Since(start)))
	return true
}

// checkTLS checks the certificate of a host.
func (d *doctor) checkTLS(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		d.Add(areaAPI, "TLS", Failed, fmt.Sprintf("no TLS connection to %s: %v", host, err),
			"Check --api-url (TR_API_URL) and this machine's clock. If a company's proxy reads TLS, its certificate must be trusted here (SSL_CERT_FILE).")
		return false
	}
	defer conn.Close()
	certificate := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if left := time.Until(certificate.NotAfter); left < expiresSoon {
		d.Add(areaAPI, "TLS", Warning, fmt.Sprintf("the certificate of %s ends on %s", host, certificate.NotAfter.Format(time.DateOnly)), "Tell who runs the API, or the proxy in front of it.")
		return true
	}
	d.ok(areaAPI, "TLS", "the certificate is trusted, until %s", certificate.NotAfter.Format(time.DateOnly))
	return true
}

// checkAnswer checks that the Run API answers at the address, and its clock.
func (d *doctor) checkAnswer(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	probe, err := d.API.ProbeAddress(ctx)
	if err != nil {
		fix := "Try again later: the API, or a proxy before it, does not serve now."
		if client.KindOf(err) == client.Misconfigured {
			fix = "Check --api-url (TR_API_URL); the published address is " + client.DefaultURL + "."
		}
		d.Add(areaAPI, "answer", Failed, message(err), fix)
		return false
	}
	d.ok(areaAPI, "answer", "a Run API answers at %s in %s", d.URL.Redacted(), milliseconds(probe.AnsweredAt.Sub(probe.SentAt)))
	d.checkClock(probe)
	return true
}

// checkClock compares this machine's clock with that of the API.
func (d *doctor) checkClock(probe client.Probe) {
	if probe.Date.IsZero() {
		d.skip(areaAPI, "clock", "the API does not tell its time")
		return
	}
	// The date is cut to the second, at some time between request and answer.
	var skew time.Duration
	var direction string
	switch earliest, latest := probe.Date, probe.Date.Add(time.Second); {
	case probe.SentAt.After(latest):
		skew, direction = probe.SentAt.Sub(latest), "ahead of"
	case probe.AnsweredAt.Before(earliest):
		skew, direction = earliest.Sub(probe.AnsweredAt), "behind"
	}
	if skew <= maxSkew {
		d.ok(areaAPI, "clock", "agrees with the API's")
		return
	}
	d.Add(areaAPI, "clock", Warning, fmt.Sprintf("this machine's clock is %s %s the API's", skew.Round(time.Second), direction),
		"Let the system set its time from the network. A run whose create got no answer is looked for by time.")
}

// message returns an error as a person may read it.
func message(err error) string {
	if e, ok := err.(*client.Error); ok {
		return e.Message
	}
	return err.Error()
}

// milliseconds returns a short time as a person reads it.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
