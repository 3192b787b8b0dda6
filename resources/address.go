package resources

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
)

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
		return paging{"offset", 16 << 10, 64 << 10} // characters
	}
	return paging{}
}

// address is a run:// URI in its parts.
type address struct {
	runID string
	part  part
	from  int64 // the event after which, or the step or character at which, reading begins
	limit int
}

// String returns the URI.
func (a address) String() string {
	uri := "run://" + a.runID
	if a.part != ofRun {
		uri += "/" + string(a.part)
	}
	if pages := a.part.paging(); pages.from != "" {
		uri += fmt.Sprintf("?%s=%d&limit=%d", pages.from, a.from, a.limit)
	}
	return uri
}

// parseAddress reads a run:// URI. mcp-go matches templates too, but takes a
// query in another order for an empty one. What is no address of ours is
// [server.ErrResourceNotFound]; a wrong query says what would be right.
func parseAddress(uri string) (address, error) {
	notFound := fmt.Errorf("%w: addresses are run://{runId} and its events, plan and result", server.ErrResourceNotFound)
	rest, ok := strings.CutPrefix(uri, "run://")
	if !ok {
		return address{}, notFound
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	runID, name, hasPart := strings.Cut(rest, "/")
	a := address{runID: strings.ToLower(runID), part: part(name)} // one run, one feed
	switch {
	case !client.IsRunID(runID), hasPart && a.part != ofEvents && a.part != ofPlan && a.part != ofResult:
		return address{}, notFound
	case hasQuery && a.part.paging() == paging{}:
		return address{}, invalid("%s takes no query", a)
	}
	a.limit = a.part.paging().defaultLimit
	return a, a.parseQuery(query)
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
		n, err := strconv.ParseInt(given[0], 10, 64)
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
