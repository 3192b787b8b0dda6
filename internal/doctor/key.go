package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"runs-mcp-server/client"
)

// checkKey checks what the API says to the key. It reports whether it accepts it.
func (d *doctor) checkKey(ctx context.Context) bool {
	if d.Caller.Key == "" {
		d.skip(areaAPI, "key accepted", "there is no usable key")
		d.skip(areaAPI, "event stream", "there is no usable key")
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := d.API.ListRuns(ctx, d.Caller, client.ListRunsQuery{PageSize: 1})
	if err == nil {
		d.ok(areaAPI, "key accepted", "the API accepts the key and lists its runs")
		return true
	}
	failed, _ := errors.AsType[*client.Error](err)
	switch {
	case failed != nil && failed.Status == http.StatusUnauthorized:
		d.Add(areaAPI, "key accepted", Failed, "the API refuses the key (401): it is wrong, revoked, or for another address",
			fmt.Sprintf("Copy the key again, whole and without quotes, and check that it is one for %s.", d.URL.Redacted()))
	case failed != nil && failed.Status == http.StatusForbidden:
		d.Add(areaAPI, "key accepted", Failed, "the API knows the key, but does not let it list runs (403)", "Ask who made the key to give it the permission to read and start runs.")
	default:
		d.Add(areaAPI, "key accepted", Failed, message(err), "Try again later. The key could not be checked.")
	}
	d.skip(areaAPI, "event stream", "the API did not list the runs of the key")
	return false
}
