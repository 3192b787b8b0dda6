package resources

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
)

const scheme = "run://"

// part is what of a run an address names.
type part string

const (
	ofRun    part = "" // the run itself
	ofEvents part = "events"
	ofPlan   part = "plan"
	ofResult part = "result"
)

// paging is how a part is read bit by bit: the parameter that says from where,
// and how much one read gives.
type paging struct {
	from                   string
	defaultLimit, maxLimit int
}

// paging returns the zero paging for a part that takes no query.
func (p part) paging() paging {
	switch p {
	case ofEvents:
		return paging{"afterEventId", 50, 500}
	case ofPlan:
		return paging{"offset", 50, 500} // steps
	case ofResult:
		return paging{"offset", 8 << 10, 64 << 10} // characters
	}
	return paging{}
}

// address is a run:// URI in its parts.
type address struct {
	runID client.RunID
	part  part
	from  int64 // the event after which, or the step or character at which, reading begins
	limit int
}

// String returns the URI.
func (a address) String() string {
	uri := scheme + string(a.runID)
	if a.part != ofRun {
		uri += "/" + string(a.part)
	}
	if pages := a.part.paging(); pages.from != "" {
		uri += fmt.Sprintf("?%s=%d&limit=%d", pages.from, a.from, a.limit)
	}
	return uri
}

// Parts of a URI template that clients leave in an address: names of what they
// did not fill in, such as {runId} or {?afterEventId,limit}, and anything else in
// braces, which is a value.
var (
	unfilled = regexp.MustCompile(`\{[?&]?[A-Za-z_][A-Za-z0-9_,]*\}`)
	braced   = regexp.MustCompile(`\{([^{}]*)\}`)
)

// parseAddress reads a run:// URI. mcp-go matches templates too, but takes a
// query in another order for an empty one. It takes what can mean one address
// only: a template's parameters that nobody filled in are not given. What is no
// address of ours is [server.ErrResourceNotFound]; what is wrong with one that is
// says what would be right.
func parseAddress(uri string) (address, error) {
	text := strings.Trim(uri, " \t\r\n\"'`<>")
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	rest, ok := cutScheme(text)
	if _, bare := client.ParseRunID(text); !ok && !bare {
		return address{}, server.ErrResourceNotFound
	}
	rest, query, hasQuery := strings.Cut(expand(rest), "?")
	runID, name, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	id, valid := client.ParseRunID(strings.Trim(runID, " <>"))
	a := address{runID: id, part: part(strings.ToLower(name))}
	switch {
	case !valid:
		return address{}, invalid("after run:// comes a run's id, a UUID such as 123e4567-e89b-12d3-a456-426614174000; resources/list has the newest runs")
	case a.part != ofRun && a.part != ofEvents && a.part != ofPlan && a.part != ofResult:
		return address{}, invalid("a run has events, plan and result: run://{runId}/events and so on")
	case hasQuery && strings.Trim(query, "&") != "" && a.part.paging() == paging{}:
		return address{}, invalid("%s takes no query", a)
	}
	a.limit = a.part.paging().defaultLimit
	return a, a.parseQuery(query)
}

// cutScheme takes the scheme off an address, however often it is there.
func cutScheme(text string) (rest string, ok bool) {
	for len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		text, ok = text[len(scheme):], true
	}
	return text, ok
}

// expand finishes a template that a client filled in by half: what is not
// filled in goes, {?afterEventId=3,limit=5} is the query that was meant.
func expand(text string) string {
	return braced.ReplaceAllStringFunc(unfilled.ReplaceAllString(text, ""), func(value string) string {
		value = strings.Trim(value, "{}")
		if strings.HasPrefix(value, "?") {
			value = strings.ReplaceAll(value, ",", "&")
		}
		return value
	})
}

// invalid is an error in an address, which becomes the protocol's "invalid params".
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{mcp.ErrInvalidParams}, args...)...)
}

func (a *address) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return invalid("the query is malformed")
	}
	pages := a.part.paging()
	for name, given := range values {
		text := strings.TrimSpace(given[0])
		if text == "" || strings.HasPrefix(text, "<") && strings.HasSuffix(text, ">") {
			continue // not filled in
		}
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case name != pages.from && name != "limit":
			return invalid("the query takes %s and limit alone", pages.from)
		case len(given) > 1:
			return invalid("%s is given twice", name)
		case name == pages.from && (err != nil || n < 0 || n > math.MaxInt-int64(pages.maxLimit)):
			return invalid("%s must be a whole number from 0", name)
		case name == "limit" && (err != nil || n < 1 || n > int64(pages.maxLimit)):
			return invalid("limit must be a whole number from 1 to %d", pages.maxLimit)
		case name == "limit":
			a.limit = int(n)
		default:
			a.from = n
		}
	}
	return nil
}

// routed returns an address that mcp-go finds the handler of: the same where it
// can, what it means otherwise. What is wrong with one that means nothing is the
// handler's to say; it gets all of it in the place of a run's id.
func routed(known []mcp.ResourceTemplate, uri string) string {
	if strings.EqualFold(strings.TrimRight(strings.TrimSpace(uri), "/"), activeIntegrations) {
		return activeIntegrations
	}
	if slices.ContainsFunc(known, func(t mcp.ResourceTemplate) bool { return t.URITemplate.Regexp().MatchString(uri) }) {
		return uri
	}
	switch a, err := parseAddress(uri); {
	case err == nil:
		return a.String()
	case errors.Is(err, mcp.ErrInvalidParams):
		return scheme + strings.ReplaceAll(url.QueryEscape(uri), "+", "%20")
	}
	return uri
}
