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
	// lookTime bounds the look for a run that may have been made.
	lookTime = 5 * time.Second
	// clockSkew is how far the API's clock may be from ours.
	clockSkew = time.Minute
	// maxCandidates is how many runs are named: more would not fit.
	maxCandidates = 3
)

// unclear puts a create whose outcome is unknown into words. It looks once
// which runs the create may have made, by intent, person and time; whether it
// made one of them nobody can tell.
func (s *set) unclear(ctx context.Context, caller client.Caller, body client.CreateRunRequest, began time.Time, cause error) error {
	if ctx.Err() != nil {
		return cause // nobody waits for the answer
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	page, err := s.API.ListRuns(ctx, caller, client.ListRunsQuery{UserID: body.UserID, Page: 1, PageSize: 100})
	if err != nil {
		s.Log.Info("a create's outcome is unknown, and looking for its run failed", "error", cause, "lookError", err)
		if client.KindOf(err) == client.Misconfigured {
			return &problem{
				code: string(client.OutcomeUnknown), message: "something that is not the Run API answered the create; whether a run was created is unknown", cause: cause,
				nextStep: "Do not create it again. T" + s.addressOwner()[1:] + ".",
			}
		}
		return s.notFoundYet("the create was sent, but its answer was lost, and looking for its run failed", cause)
	}
	found := candidates(page.Runs, body.Intent, began)
	s.Log.Info("a create's outcome is unknown", "error", cause, "candidates", len(found))
	if len(found) == 0 {
		return s.notFoundYet("the create was sent, but its answer was lost; no run with this intent was found just now, one may still appear", cause)
	}
	return s.named(found, cause)
}

// named is the failure that names candidates.
func (s *set) named(found []candidate, cause error) *problem {
	var names []string
	for _, c := range found[:min(len(found), maxCandidates)] {
		names = append(names, c.String())
	}
	more := ""
	if n := len(found) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return &problem{
		code: string(client.OutcomeUnknown), cause: cause,
		message:  "the create's answer was lost. Runs with its intent from about then: " + strings.Join(names, ", ") + more,
		nextStep: "Do not create it again. One of these may be it, or somebody else's: " + s.look("{runId}", "its runId") + ".",
	}
}

// notFoundYet is the failure that names none.
func (s *set) notFoundYet(message string, cause error) *problem {
	next := "Ask the user what to do."
	if s.Offers("list_runs") {
		next = "In a minute look with list_runs; if there is no such run then, ask the user what to do."
	}
	return &problem{code: string(client.OutcomeUnknown), message: message, nextStep: "Do not create it again. " + next, cause: cause}
}

// candidate is a run that a create may have made.
type candidate struct {
	runID     client.RunID
	status    client.Status
	createdAt time.Time
}

// String names the run in our own form, at most 77 bytes: three must fit into
// a failure.
func (c candidate) String() string {
	status := c.status
	if !slices.Contains(client.Statuses(), status) {
		status = "new status"
	}
	return fmt.Sprintf("%s (%s, %s)", c.runID, status, c.createdAt.UTC().Format(time.RFC3339))
}

// candidates returns the runs with an intent that were made since, the newest
// first.
func candidates(runs []client.Run, intent string, since time.Time) (found []candidate) {
	from, to := since.Add(-clockSkew), time.Now().Add(clockSkew)
	for _, run := range runs {
		at, err := time.Parse(time.RFC3339, run.CreatedAt)
		if err != nil || at.Before(from) || at.After(to) || !run.RunID.Valid() || strings.TrimSpace(run.Intent) != strings.TrimSpace(intent) {
			continue
		}
		found = append(found, candidate{run.RunID, run.Status, at})
	}
	slices.SortFunc(found, func(a, b candidate) int { return b.createdAt.Compare(a.createdAt) })
	return found
}
