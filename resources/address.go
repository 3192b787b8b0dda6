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

// part is the part of a run that an address names.
type part string

const (
	partRun    part = "" // the run itself
	partEvents part = "events"
	partPlan   part = "plan"
	partResult part = "result"
)

// paging is how a part is read bit by bit: the parameter that says where to begin,
// and how much one read returns.
type paging struct {
	fromParam              string
	defaultLimit, maxLimit int
}

// paging returns the zero paging for a part that takes no query.
func (p part) paging() paging {
	switch p {
	case partEvents:
		return paging{"afterEventId", 50, 500}
	case partPlan:
		return paging{"offset", 50, 500} // steps
	case partResult:
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
	if a.part != partRun {
		uri += "/" + string(a.part)
	}
	if p := a.part.paging(); p.fromParam != "" {
		uri += fmt.Sprintf("?%s=%d&limit=%d", p.fromParam, a.from, a.limit)
	}
	return uri
}

// parseAddress reads a run:// URI. mcp-go matches templates too, but loses a query in
// another order. An address is corrected where it can mean one thing only; parameters
// of a template that nobody filled in do not count. The error is
// [server.ErrResourceNotFound] where the text is no address of ours, else
// [mcp.ErrInvalidParams] with what would be right.
func parseAddress(uri string) (address, error) {
	text := strings.Trim(uri, " \t\r\n\"'`<>")
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	rest, hasScheme := cutScheme(text)
	if _, isRunID := client.ParseRunID(text); !hasScheme && !isRunID {
		return address{}, server.ErrResourceNotFound
	}
	rest, query, hasQuery := strings.Cut(fillTemplate(rest), "?")
	runID, name, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	id, valid := client.ParseRunID(strings.Trim(runID, " <>"))
	a := address{runID: id, part: part(strings.ToLower(name))}
	switch {
	case !valid:
		return address{}, invalid("after run:// comes a run's id, a UUID such as 123e4567-e89b-12d3-a456-426614174000; resources/list has the newest runs")
	case a.part != partRun && a.part != partEvents && a.part != partPlan && a.part != partResult:
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

// What clients leave of a URI template in an address: names that they did not fill
// in, such as {runId} or {?afterEventId,limit}, and values in braces.
var (
	unfilledName = regexp.MustCompile(`\{[?&]?[A-Za-z_][A-Za-z0-9_,]*\}`)
	bracedValue  = regexp.MustCompile(`\{([^{}]*)\}`)
)

// fillTemplate finishes a template that a client filled in by half: names that are
// not filled in go, {?afterEventId=3,limit=5} is the query that was meant.
func fillTemplate(text string) string {
	return bracedValue.ReplaceAllStringFunc(unfilledName.ReplaceAllString(text, ""), func(value string) string {
		value = strings.Trim(value, "{}")
		if strings.HasPrefix(value, "?") {
			value = strings.ReplaceAll(value, ",", "&")
		}
		return value
	})
}

// parseQuery reads the query of an address of a part with paging.
func (a *address) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return invalid("the query is malformed")
	}
	for name, given := range values {
		text := strings.TrimSpace(given[0])
		if text == "" || strings.HasPrefix(text, "<") && strings.HasSuffix(text, ">") {
			continue // not filled in
		}
		if err := a.setParam(name, text, len(given)); err != nil {
			return err
		}
	}
	return nil
}

// setParam sets one parameter of the query, which was given so many times.
func (a *address) setParam(name, text string, times int) error {
	p := a.part.paging()
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case name != p.fromParam && name != "limit":
		return invalid("the query takes %s and limit alone", p.fromParam)
	case times > 1:
		return invalid("%s is given twice", name)
	case name == "limit" && (err != nil || n < 1 || n > int64(p.maxLimit)):
		return invalid("limit must be a whole number from 1 to %d", p.maxLimit)
	case name == "limit":
		a.limit = int(n)
	case err != nil || n < 0 || n > math.MaxInt-int64(p.maxLimit):
		return invalid("%s must be a whole number from 0", name)
	default:
		a.from = n
	}
	return nil
}

// invalid is an error in an address, which becomes the protocol's "invalid params".
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{mcp.ErrInvalidParams}, args...)...)
}

// routableURI returns an address for which mcp-go finds the handler: the same where
// it can, else what it means. What is wrong with an address that means nothing is the
// handler's to say, so it comes whole in the place of a run's id.
func routableURI(known []mcp.ResourceTemplate, uri string) string {
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
