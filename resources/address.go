package resources

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// address is a run:// URI in its parts.
type address struct {
	runID        string
	events       bool // the run's events, not the run
	afterEventID int64
	limit        int
}

// parseAddress reads a run:// URI. mcp-go matches templates too, but takes a
// query in another order for an empty one. What is no address of ours is
// [server.ErrResourceNotFound]; a wrong query says what would be right.
func parseAddress(uri string) (address, error) {
	notFound := fmt.Errorf("%w: addresses are run://{runId} and run://{runId}/events", server.ErrResourceNotFound)
	rest, ok := strings.CutPrefix(uri, "run://")
	if !ok {
		return address{}, notFound
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	a := address{limit: defaultLimit}
	a.runID, a.events = strings.CutSuffix(rest, "/events")
	if !client.IsRunID(a.runID) {
		return address{}, notFound
	}
	a.runID = strings.ToLower(a.runID) // one run, one feed
	if !hasQuery {
		return a, nil
	}
	if !a.events {
		return address{}, errors.New("invalid_argument: run://{runId} takes no query")
	}
	return a, a.parseQuery(query)
}

func (a *address) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("invalid_argument: the query is malformed")
	}
	for name, given := range values {
		n, err := strconv.ParseInt(given[0], 10, 64)
		switch {
		case name != "afterEventId" && name != "limit":
			return errors.New("invalid_argument: the query takes afterEventId and limit alone")
		case len(given) > 1:
			return fmt.Errorf("invalid_argument: %s is given twice", name)
		case name == "afterEventId" && (err != nil || n < 0):
			return errors.New("invalid_argument: afterEventId must be a whole number from 0")
		case name == "limit" && (err != nil || n < 1 || n > maxLimit):
			return fmt.Errorf("invalid_argument: limit must be a whole number from 1 to %d", maxLimit)
		case name == "limit":
			a.limit = int(n)
		default:
			a.afterEventID = n
		}
	}
	return nil
}
