// Package contracttest holds both sides of the Run API to its published
// contract, in tests.
package contracttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"runs-mcp-server/internal/sandbox"
)

// requestHeaders are what a request may carry beside the contract's own
// parameters, of which none is a header: the documented key, the words of HTTP
// and of event streams, and trace context.
func requestHeaders() []string {
	return []string{"X-Api-Key", "Accept", "Accept-Encoding", "Content-Type", "Content-Length", "User-Agent",
		"Cache-Control", "Connection", "Last-Event-Id", "Traceparent", "Tracestate", "Baggage"}
}

// neighbours are documented by the vendor outside the contract; their queries
// are listed with them.
func neighbours() map[string][]string {
	return map[string][]string{
		`^/v1/execution-plans/[^/]+$`:          nil,
		`^/v1/integrations$`:                   {"active"},
		`^/v1/integrations/[^/]+/users/[^/]+$`: nil,
	}
}

// Transport returns a transport that sends by base (nil means the default one)
// and fails the test where a request or a response breaks the contract.
//
// Requests may carry only known query parameters and headers. Responses of
// 200 to 299 must be the contract's, content type and body included; the body
// of an event stream is not read. Error answers may have any status, because
// the contract documents few, and no body of theirs is checked. The
// vendor's neighbouring operations are let through with their queries checked.
func Transport(t testing.TB, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	if base == nil {
		base = http.DefaultTransport
	}
	doc, err := openapi3.NewLoader().LoadFromData(sandbox.Contract())
	if err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	doc.Servers = nil // any host: tests listen on a port of their own
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatalf("route by the contract: %v", err)
	}
	return &transport{t: t, base: base, router: router}
}

type transport struct {
	t      testing.TB
	base   http.RoundTripper
	router routers.Router
}

// RoundTrip implements http.RoundTripper. It reports violations to the test
// and goes on, so that the code under test sees what it would see anyway.
func (c *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	input, err := c.checkRequest(r)
	if err != nil {
		c.t.Errorf("request breaks the contract: %s %s: %v", r.Method, r.URL.Path, err)
	}
	response, err := c.base.RoundTrip(r)
	if err != nil || input == nil {
		return response, err
	}
	if err := checkResponse(input, response); err != nil {
		c.t.Errorf("response breaks the contract: %s %s: %v", r.Method, r.URL.Path, err)
	}
	return response, nil
}

// checkRequest returns what the response is checked against, or nil for an
// operation outside the contract.
func (c *transport) checkRequest(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	for name := range r.Header {
		if !slices.Contains(requestHeaders(), http.CanonicalHeaderKey(name)) {
			return nil, fmt.Errorf("header %s is not known", name)
		}
	}
	for pattern, known := range neighbours() {
		if regexp.MustCompile(pattern).MatchString(r.URL.Path) && r.Method == http.MethodGet {
			return nil, checkQuery(r, known)
		}
	}
	route, path, err := c.router.FindRoute(r)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, p := range route.Operation.Parameters {
		known = append(known, p.Value.Name)
	}
	checked := r.Clone(r.Context())
	if checked.Body, err = peek(r); err != nil {
		return nil, err
	}
	input := &openapi3filter.RequestValidationInput{Request: checked, PathParams: path, Route: route, Options: options()}
	return input, errors.Join(checkQuery(r, known), openapi3filter.ValidateRequest(r.Context(), input))
}

func checkQuery(r *http.Request, known []string) error {
	for name := range r.URL.Query() {
		if !slices.Contains(known, name) {
			return fmt.Errorf("query parameter %s is not known", name)
		}
	}
	return nil
}

// peek reads a request's body and puts a fresh reader in its place.
func peek(r *http.Request) (io.ReadCloser, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody, nil
	}
	data, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return io.NopCloser(bytes.NewReader(data)), nil
}

// checkResponse leaves the response's body readable.
func checkResponse(request *openapi3filter.RequestValidationInput, r *http.Response) error {
	if r.StatusCode < 200 || r.StatusCode > 299 {
		return nil
	}
	input := &openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: r.StatusCode, Header: r.Header.Clone(), Options: options()}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		input.Options.ExcludeResponseBody = true
		if !strings.HasSuffix(request.Route.Path, "/sse") {
			return errors.New("an event stream is not what this operation answers")
		}
		return openapi3filter.ValidateResponse(request.Request.Context(), input)
	}
	data, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	input.SetBodyBytes(data)
	return openapi3filter.ValidateResponse(request.Request.Context(), input)
}

// options check formats too: half of the contract's promises are uuids.
func options() *openapi3filter.Options {
	isUUID := openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC4122)
	return &openapi3filter.Options{
		IncludeResponseStatus:             true,
		RejectWhenRequestBodyNotSpecified: true,
		MultiError:                        true,
		AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // the contract names no scheme
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.EnableFormatValidation(), openapi3.WithStringFormatValidator("uuid", isUUID)},
	}
}
