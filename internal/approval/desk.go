package approval

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"runs-mcp-server/client"
)

// maxSent bounds the tokens that are remembered as sent; the oldest go first.
const maxSent = 10_000

// Errors of a decision that was not sent.
var (
	ErrAlreadySent = errors.New("a decision was already sent for this approval")
	ErrNoLink      = errors.New("the approval offers no link for this decision")
	ErrOtherToken  = errors.New("the token belongs to the other decision or to another run")
)

// Desk sends decisions, each token and each approval at most once in the life
// of the process; beyond it the API's one-time links are the judge. It is safe
// for concurrent use.
type Desk struct {
	api *client.Client

	mu    sync.Mutex // guards the rest
	sent  map[string]bool
	order []string
	// belongs says of the tokens that were seen which run and decision they are of.
	belongs map[[32]byte]owner
	seen    [][32]byte
}

type owner struct {
	runID    string
	decision Decision
}

// NewDesk returns a desk that sends through api.
func NewDesk(api *client.Client) *Desk {
	return &Desk{api: api, sent: map[string]bool{}, belongs: map[[32]byte]owner{}}
}

// See remembers whose the tokens of a pending approval are.
func (d *Desk) See(runID string, p Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for decision, token := range p.tokens {
		hash := sha256.Sum256([]byte(token))
		if _, known := d.belongs[hash]; known {
			continue
		}
		d.belongs[hash] = owner{runID, decision}
		d.seen = append(d.seen, hash)
		if len(d.seen) > maxSent {
			delete(d.belongs, d.seen[0])
			d.seen = slices.Delete(d.seen, 0, 1)
		}
	}
}

// Decide sends a decision on a pending approval. Besides the errors above it
// returns those of [client.Client.Approve].
func (d *Desk) Decide(ctx context.Context, caller client.Caller, p Pending, decision Decision) error {
	token := p.tokens[decision]
	if token == "" {
		return ErrNoLink
	}
	return d.send(ctx, caller, token, p.ID)
}

// DecideByToken sends a token that came another way, unless it is known to be
// of another run or of the other decision.
func (d *Desk) DecideByToken(ctx context.Context, caller client.Caller, runID string, decision Decision, token string) error {
	hash := sha256.Sum256([]byte(token))
	d.mu.Lock()
	whose, known := d.belongs[hash]
	d.mu.Unlock()
	if known && whose != (owner{runID, decision}) {
		return ErrOtherToken
	}
	return d.send(ctx, caller, token, "")
}

// Sent reports whether a decision on the approval was sent.
func (d *Desk) Sent(p Pending) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent[p.ID]
}

// send sends a token, claiming both it and the approval it decides.
func (d *Desk) send(ctx context.Context, caller client.Caller, token, approvalID string) error {
	hash := sha256.Sum256([]byte(token))
	claims := []string{string(hash[:])}
	if approvalID != "" {
		claims = append(claims, approvalID)
	}
	if !d.claim(claims) {
		return ErrAlreadySent
	}
	err := d.api.Approve(ctx, caller, token)
	if e, ok := errors.AsType[*client.Error](err); ok && neverArrived(e) {
		d.release(claims)
	}
	return err
}

// neverArrived reports whether a failed request provably had no effect and
// did not use up the token: then the person may try again.
func neverArrived(e *client.Error) bool {
	return e.Kind == client.RateLimited || e.Kind != client.OutcomeUnknown && e.Status == 0
}

// claim records what is being sent; false when any of it was before.
func (d *Desk) claim(claims []string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(claims, func(c string) bool { return d.sent[c] }) {
		return false
	}
	for _, c := range claims {
		d.sent[c] = true
		d.order = append(d.order, c)
	}
	for len(d.order) > maxSent {
		delete(d.sent, d.order[0])
		d.order = slices.Delete(d.order, 0, 1)
	}
	return true
}

func (d *Desk) release(claims []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range claims {
		delete(d.sent, c)
	}
	d.order = slices.DeleteFunc(d.order, func(o string) bool { return slices.Contains(claims, o) })
}
