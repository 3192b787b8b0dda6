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
	"net/url"
	"syscall"
)

// reason says in words that are safe to show why a request got no answer, ""
// where nobody knows. It names no host: a caller over HTTP may not learn where the
// API is. final reports that another try would fare no better: who set the
// address, or the network, must change something.
func reason(err error) (words string, final bool) {
	if certificate := certificateFault(err); certificate != "" {
		return certificate, true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		if words, _ = reason(op.Err); words != "" {
			return "the HTTP proxy on the way to it: " + words, false
		}
		return "the HTTP proxy on the way to it cannot be reached", false
	}
	if proxy, ok := errors.AsType[*proxyError](err); ok {
		return proxy.Error(), proxy.status < 500
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok && lookup.IsNotFound {
		return "its host name is unknown", false
	} else if ok {
		return "its host name could not be looked up", false
	}
	var failed net.Error
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return "its address is https, but it answers plain HTTP", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refuses connections", false
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no route to it", false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke", false
	case errors.As(err, &failed) && failed.Timeout():
		return "it did not answer in time", false
	}
	return "", false
}

// certificateFault says what is wrong with the certificate of the server, "" if nothing is.
func certificateFault(err error) string {
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var any *tls.CertificateVerificationError
	switch {
	case errors.As(err, &host):
		return "its TLS certificate is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its TLS certificate has expired or is not valid yet"
	case errors.As(err, &authority):
		return "its TLS certificate is signed by an authority that this machine does not trust"
	case errors.As(err, &invalid), errors.As(err, &any):
		return "its TLS certificate is not valid"
	}
	return ""
}

// proxyError is the refusal of an HTTP proxy to connect to the API.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the HTTP proxy on the way to it answered %d", e.status)
}

// checkProxy is [http.Transport.OnProxyConnectResponse].
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &proxyError{answer.StatusCode}
	}
	return nil
}

// Detail returns why a request got no answer, with the addresses that the
// operating system and the Go libraries name: for logs. It is "" where an answer
// came.
func (e *Error) Detail() string {
	if e.Status != 0 || e.cause == nil {
		return ""
	}
	cause := e.cause
	if quoting, ok := errors.AsType[*url.Error](cause); ok {
		cause = quoting.Err // for it quotes the URL, and a URL may hold a token
	}
	return cause.Error()
}
