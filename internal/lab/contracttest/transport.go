// Package contracttest checks requests and responses of the Run API against its
// published contract, in tests. Put Transport into the test's http.Client.
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

// requestHeaders returns the headers that a request may have: the documented key,
// those of HTTP and of event streams, and trace context. The contract names none.
func requestHeaders() []string {
	return []string{"X-Api-Key", "Accept", "Accept-Encoding", "Content-Type", "Content-Length", "User-Agent",
		"Cache-Control", "Connection", "Last-Event-Id", "Traceparent", "Tracestate", "Baggage"}
}

// otherOperations returns the operations that the vendor documents outside the
// contract, as patterns of paths, and their query parameters.
func otherOperations() map[string][]string {
	return map[string][]string{
		`^/v1/execution-plans/[^/]+$`:          nil,
		`^/v1/integrations$`:                   {"active"},
		`^/v1/integrations/[^/]+/users/[^/]+$`: nil,
	}
}

// Transport returns a transport that sends by base, or by the default one if base is
// nil. A request or response that breaks the contract fails the test.
//
// Requests may have known query parameters and headers only. Responses of 200 to 299
// are checked with content type and body, except the body of an event stream. Other
// responses are not checked, because the contract documents few. Of the operations
// outside the contract only the query is checked.
func Transport(t testing.TB, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	if base == nil {
		base = http.DefaultTransport
	}
	doc, err := openapi3.NewLoader().LoadFromData(sandbox.Contract())
	if err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	doc.Servers = nil // allow any host: tests listen on ports of their own
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

// RoundTrip implements http.RoundTripper. It reports violations to the test and
// forwards the request and response all the same.
func (c *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	input, err := c.checkRequest(r)
	if err != nil {
		c.t.Errorf("request breaks the contract: %s %s: %v", r.Method, r.URL.Path, err)
	}
	response, err := c.base.RoundTrip(r)
	if err != nil || input == nil {
		return response, err
	}
	// Of a request that was ended, the body cannot be read.
	if err := checkResponse(input, response); err != nil && r.Context().Err() == nil {
		c.t.Errorf("response breaks the contract: %s %s: %v", r.Method, r.URL.Path, err)
	}
	return response, nil
}

// checkRequest checks a request. It returns the input for checkResponse, or nil for an
// operation outside the contract.
func (c *transport) checkRequest(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	for name := range r.Header {
		if !slices.Contains(requestHeaders(), http.CanonicalHeaderKey(name)) {
			return nil, fmt.Errorf("header %s is not known", name)
		}
	}
	for pattern, known := range otherOperations() {
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
	if checked.Body, err = copyBody(r); err != nil {
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

// copyBody returns a copy of a request's body and leaves the body readable.
func copyBody(r *http.Request) (io.ReadCloser, error) {
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

// checkResponse checks a response and leaves its body readable.
func checkResponse(request *openapi3filter.RequestValidationInput, r *http.Response) error {
	if r.StatusCode < 200 || r.StatusCode > 299 {
		return nil
	}
	input := &openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: r.StatusCode, Header: r.Header.Clone(), Options: options()}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
		input.Options.ExcludeResponseBody = true
		if !strings.HasSuffix(request.Route.Path, "/sse") {
			return errors.New("this operation does not answer an event stream")
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

// options enables the check of formats, such as uuid.
func options() *openapi3filter.Options {
	isUUID := openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC4122)
	return &openapi3filter.Options{
		IncludeResponseStatus:             true,
		RejectWhenRequestBodyNotSpecified: true,
		MultiError:                        true,
		AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // the contract names no authentication
		SchemaValidationOptions: []openapi3.SchemaValidationOption{
			openapi3.EnableFormatValidation(), openapi3.WithStringFormatValidator("uuid", isUUID)},
	}
}
