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

// describeCause says why a request got no answer, as the end of a sentence: a colon
// and words that are safe to show, "" if nothing is known. It names no host, for
// callers over HTTP may not learn the API's address. permanent reports that another
// try would fail as well, until the operator changes something. sent says whether
// there was a connection.
func describeCause(err error, sent bool) (words string, permanent bool) {
	words, permanent = causeWords(err)
	if words == "" && sent { // net/http has several errors of its own for that
		words = "the connection broke"
	}
	if words != "" {
		words = ": " + words
	}
	return words, permanent
}

// causeWords is the table from errors of the network to words.
func causeWords(err error) (words string, permanent bool) {
	if words = certificateFault(err); words != "" {
		return words, true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		if words, _ = causeWords(op.Err); words != "" {
			return "the HTTP proxy on the way to it: " + words, false
		}
		return "the HTTP proxy on the way to it cannot be reached", false
	}
	if proxy, ok := errors.AsType[*proxyError](err); ok {
		return proxy.Error(), proxy.status < 500
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		if lookup.IsNotFound {
			return "its host name is unknown", false
		}
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

// certificateFault says what is wrong with the server's certificate, "" if nothing.
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

// checkProxy is an [http.Transport.OnProxyConnectResponse].
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &proxyError{answer.StatusCode}
	}
	return nil
}
