package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
)

const (
	// searchTime bounds the search for a run that may have been created.
	searchTime = 5 * time.Second
	// clockSkew is how far the API's clock may be from ours.
	clockSkew = time.Minute
	// maxCandidates is how many runs a failure has room to name.
	maxCandidates = 3
)

// createFailure returns the failure of a create. If its outcome is unknown, it
// searches once for runs that the create may have made, by intent, user and time. A run
// that the call had read before is none. Whether it made one of them, nobody can tell.
func (h *handlers) createFailure(ctx context.Context, c *call, body client.CreateRunRequest, start time.Time, cause error) error {
	if client.KindOf(cause) != client.OutcomeUnknown || ctx.Err() != nil { // done: nobody waits for the answer
		return cause
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	page, err := h.API.ListRuns(ctx, c.caller, client.ListRunsQuery{UserID: body.UserID, Page: 1, PageSize: 100})
	if err != nil {
		h.Log.Info("a create's outcome is unknown, and searching for its run failed", "error", cause, "searchError", err)
		if client.KindOf(err) == client.Misconfigured {
			return &problem{
				code: client.OutcomeUnknown, message: "something that is not the Run API answered the create; whether a run was created is unknown", cause: cause,
				nextStep: "Do not create it again. T" + h.addressOwner()[1:] + ".",
			}
		}
		return h.noCandidate("the create was sent, but its answer was lost, and looking for its run failed", cause)
	}
	found := findCandidates(page.Runs, body.Intent, start, c.readFirst)
	h.Log.Info("a create's outcome is unknown", "error", cause, "candidates", len(found))
	if len(found) == 0 {
		return h.noCandidate("the create was sent, but its answer was lost; no run with this intent was found just now, one may still appear", cause)
	}
	return h.someCandidates(found, cause)
}

// noCandidate is the failure that names no run.
func (h *handlers) noCandidate(message string, cause error) *problem {
	next := "Ask the user what to do."
	if h.hasTool("list_runs") {
		next = "In a minute look with list_runs; if there is no such run then, ask the user what to do."
	}
	return &problem{code: client.OutcomeUnknown, message: message, nextStep: "Do not create it again. " + next, cause: cause}
}

// someCandidates is the failure that names the newest candidates.
func (h *handlers) someCandidates(found []candidate, cause error) *problem {
	return &problem{
		code: client.OutcomeUnknown, cause: cause,
		message:  "the create's answer was lost. Runs with its intent from about then: " + joinFirst(found, maxCandidates, candidate.String),
		nextStep: "Do not create it again. One of these may be it, or somebody else's: " + h.readStep(runURI("", ""), "its runId") + ".",
	}
}

// candidate is a run that a create may have made.
type candidate struct {
	runID     client.RunID
	status    client.Status
	createdAt time.Time
}

// String names the run in our own form, in at most 77 bytes: three must fit into a
// failure.
func (c candidate) String() string {
	status := c.status
	if !slices.Contains(client.Statuses(), status) {
		status = "new status"
	}
	return fmt.Sprintf("%s (%s, %s)", c.runID, status, c.createdAt.UTC().Format(time.RFC3339))
}

// findCandidates returns the runs of an intent that were created since a time, but the
// one that was there before, the newest first.
func findCandidates(runs []client.Run, intent string, since time.Time, before client.RunID) (found []candidate) {
	from, to := since.Add(-clockSkew), time.Now().Add(clockSkew)
	for _, run := range runs {
		at, err := time.Parse(time.RFC3339, run.CreatedAt)
		inTime := err == nil && !at.Before(from) && !at.After(to)
		if inTime && run.RunID.Valid() && run.RunID != before && strings.TrimSpace(run.Intent) == strings.TrimSpace(intent) {
			found = append(found, candidate{run.RunID, run.Status, at})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return b.createdAt.Compare(a.createdAt) })
	return found
}
