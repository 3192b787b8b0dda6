package approval

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bounded"
)

// Errors of a decision that was not sent.
var (
	ErrAlreadySent = errors.New("a decision was already sent for this approval")
	ErrNoLink      = errors.New("the approval offers no link for this decision")
	ErrOtherToken  = errors.New("the token belongs to the other decision or to another run, or is unknown to this run")
)

// Decider sends decisions, each token and each approval of a caller at most once in
// the life of the process; beyond it the API's one-time links are the judge. What
// it remembers of one caller says nothing to another. It is safe for concurrent
// use.
type Decider struct {
	api *client.Client

	mu   sync.Mutex // guards the rest
	sent *bounded.Map[callers, bool]
	// belongs says of the tokens that were seen what they decide.
	belongs *bounded.Map[callers, owner]
	shown   *bounded.Map[callers, bool] // approvals whose content was shown, by id
	plans   *bounded.Map[planOf, *client.Plan]
}

// maxRemembered bounds each of what a Decider remembers, but plans.
const maxRemembered = 10_000

// callers names something of one caller's: an approval by its id, or a token by
// its hash.
type callers struct {
	key  client.Key
	name string
}

// owner is what a token decides.
type owner struct {
	runID    client.RunID
	decision Decision
	claims   []callers // of the approval, see [claimsOf]
}

// NewDecider returns a decider that sends through api.
func NewDecider(api *client.Client) *Decider {
	return &Decider{
		api: api, sent: bounded.New[callers, bool](maxRemembered), belongs: bounded.New[callers, owner](maxRemembered),
		shown: bounded.New[callers, bool](maxRemembered), plans: bounded.New[planOf, *client.Plan](maxPlans),
	}
}

// See remembers what the tokens of a pending approval decide.
func (d *Decider) See(runID client.RunID, p Pending) {
	claims := claimsOf(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	for decision, token := range p.tokens {
		d.belongs.Add(callers{p.caller, hashOf(token)}, owner{runID, decision, claims})
	}
}

// Show remembers that the caller was shown what a pending approval is about.
func (d *Decider) Show(p Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown.Add(callers{p.caller, p.ID}, true)
}

// Shown reports whether the caller was shown what an approval is about.
func (d *Decider) Shown(p Pending) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shown.Has(callers{p.caller, p.ID})
}

// Decide sends a decision on a pending approval. Besides the errors above it
// returns those of [client.Client.Approve].
func (d *Decider) Decide(ctx context.Context, caller client.Caller, p Pending, decision Decision) error {
	token := p.tokens[decision]
	if token == "" {
		return ErrNoLink
	}
	return d.send(ctx, caller, token, claimsOf(p))
}

// ByToken is a decision by a token that came another way.
type ByToken struct {
	RunID    client.RunID
	Decision Decision
	Token    string
	// LinksKnown says that the links which wait in the run are known: then a
	// token that was never seen is none of them.
	LinksKnown bool
}

// DecideByToken sends a token that came another way, unless it is known not to
// be the decision's. known reports that it is known to be.
func (d *Decider) DecideByToken(ctx context.Context, caller client.Caller, by ByToken) (known bool, err error) {
	named := callers{caller.Key, hashOf(by.Token)}
	d.mu.Lock()
	whose, known := d.belongs.Get(named)
	d.mu.Unlock()
	switch {
	case known && (whose.runID != by.RunID || whose.decision != by.Decision), !known && by.LinksKnown:
		return known, ErrOtherToken
	case known:
		return true, d.send(ctx, caller, by.Token, whose.claims)
	default:
		return false, d.send(ctx, caller, by.Token, []callers{named})
	}
}

// Sent reports whether a decision on the approval was sent.
func (d *Decider) Sent(p Pending) bool {
	claims := claimsOf(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.anySent(claims)
}

// claimsOf returns what sending a decision on an approval claims: its id, and
// both of its tokens, for the other one may come by [Decider.DecideByToken].
func claimsOf(p Pending) []callers {
	claims := []callers{{p.caller, p.ID}}
	for _, token := range p.tokens {
		claims = append(claims, callers{p.caller, hashOf(token)})
	}
	return claims
}

// hashOf stands for a token in what is remembered.
func hashOf(token string) string {
	hash := sha256.Sum256([]byte(token))
	return string(hash[:])
}

// send sends a token once it has all the claims.
func (d *Decider) send(ctx context.Context, caller client.Caller, token string, claims []callers) error {
	if !d.claim(claims) {
		return ErrAlreadySent
	}
	err := d.api.Approve(ctx, caller, token)
	if e, ok := errors.AsType[*client.Error](err); ok && unused(e) {
		d.release(claims)
	}
	return err
}

// unused reports whether a failed request provably had no effect and did not
// use up the token: then the person may try again. A stranger whose key is
// refused takes nobody's claim away.
func unused(e *client.Error) bool {
	return e.Kind == client.RateLimited || e.Kind == client.Unauthorized || e.Kind != client.OutcomeUnknown && e.Status == 0
}

// claim records what is being sent; false when any of it was before.
func (d *Decider) claim(claims []callers) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.anySent(claims) {
		return false
	}
	for _, c := range claims {
		d.sent.Add(c, true)
	}
	return true
}

// anySent reports whether any of the claims is taken; d.mu is held.
func (d *Decider) anySent(claims []callers) bool {
	return slices.ContainsFunc(claims, d.sent.Has)
}

func (d *Decider) release(claims []callers) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range claims {
		d.sent.Remove(c)
	}
}
