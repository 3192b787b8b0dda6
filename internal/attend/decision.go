package attend

import (
	"context"
	"errors"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
)

const (
	// sendTimeout bounds the sending of a decision.
	sendTimeout = 30 * time.Second
	// maxResend is how long a decision waits for the run to be readable.
	maxResend = 2 * time.Minute
	// resendPause and maxResendPause are the first and the longest pause between two
	// tries to read the run.
	resendPause    = time.Second
	maxResendPause = 5 * time.Second
)

// sendIfUnchanged reads the run and sends a person's decision if what they decided on
// still waits and is unchanged. While the run cannot be read, the decision is kept:
// a failing API must not use it up.
func (a *Attendant) sendIfUnchanged(q *question, caller client.Caller, d approval.Decision) Outcome {
	o := Outcome{Decision: d}
	ctx, stop := context.WithTimeout(a.ctx, maxResend)
	defer stop()
	for pause := resendPause; ; pause = min(2*pause, maxResendPause) {
		current, waits, err := a.readRequest(ctx, caller, q.runID, q.subject)
		switch {
		case err != nil && temporary(err) && sleep(ctx, pause):
			continue
		case err != nil:
			o.Status, o.Err = Unsent, err
		case !waits:
			o.Status = Gone
		case current.Digest() != q.digest:
			o.Status = Changed
		default:
			o.Status, o.Err = Sent, a.sendDecision(ctx, caller, current, d)
			switch {
			case errors.Is(o.Err, approval.ErrAlreadySent):
				o.Status, o.Err = Gone, nil
			case errors.Is(o.Err, audit.ErrRefused):
				o.Status = Unsent
			}
		}
		return o
	}
}

// readRequest reads what an approval is about now. waits is false where the run no
// longer waits for it: somebody else may have decided.
func (a *Attendant) readRequest(ctx context.Context, caller client.Caller, runID client.RunID, approvalID string) (r approval.Request, waits bool, err error) {
	snapshot, err := a.Feeds.Snapshot(ctx, caller, runID, feed.Wanted{Decidable: true})
	if err != nil {
		return approval.Request{}, false, err
	}
	for _, p := range snapshot.Pending {
		if p.ID == approvalID {
			return a.Decider.Request(ctx, caller, snapshot.Run, p, a.Secrets), true, nil
		}
	}
	return approval.Request{}, false, nil
}

// temporary reports whether a run that could not be read may be readable soon.
func temporary(err error) bool {
	switch client.KindOf(err) {
	case client.Unavailable, client.Timeout, client.RateLimited, client.Invalid:
		return true
	}
	return false
}

// sleep waits for d, and returns false if ctx was done before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// sendDecision sends a decision. It ignores the end of ctx: half a request would
// leave its outcome unknown.
func (a *Attendant) sendDecision(ctx context.Context, caller client.Caller, r approval.Request, d approval.Decision) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer stop()
	return a.Decider.Decide(ctx, caller, r, d, a.Channel)
}
