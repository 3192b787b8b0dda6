package approval

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/view"
)

// Errors of a decision that was not sent.
var (
	ErrAlreadySent = errors.New("a decision was already sent for this approval")
	ErrNoLink      = errors.New("the approval offers no link for this decision")
	ErrOtherToken  = errors.New("the token belongs to the other decision or to another run, or is unknown to this run")
)

// Desk sends decisions, each token and each approval at most once in the life
// of the process; beyond it the API's one-time links are the judge. It is safe
// for concurrent use.
type Desk struct {
	Sealer // of the questions that go to a client and come back

	api  *client.Client
	view *view.View

	mu   sync.Mutex // guards the rest
	sent memory[string, bool]
	// belongs says of the tokens that were seen what they decide.
	belongs memory[string, owner]
	shown   memory[string, bool] // ids of approvals whose content was shown
	plans   memory[planOf, *client.Plan]
}

// owner is what a token decides.
type owner struct {
	runID    string
	decision Decision
	claims   []string // of the approval, see [claimsOf]
}

// NewDesk returns a desk that sends through api, and has v leave out the tokens
// that it saw.
func NewDesk(api *client.Client, v *view.View) *Desk {
	return &Desk{api: api, view: v, plans: memory[planOf, *client.Plan]{limit: maxPlans}}
}

// See remembers whose the tokens of a pending approval are. From then on they
// are shown nowhere, wherever else the run says them.
func (d *Desk) See(runID string, p Pending) {
	for _, token := range p.tokens {
		d.view.Learn(token)
	}
	claims := claimsOf(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	for decision, token := range p.tokens {
		d.belongs.add(hashOf(token), owner{runID, decision, claims})
	}
}

// Show remembers that the caller was shown what a pending approval is about.
// An approval's id is the caller's own, so no other profits.
func (d *Desk) Show(p Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown.add(p.ID, true)
}

// Shown reports whether the caller was shown what an approval is about.
func (d *Desk) Shown(p Pending) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shown.of[p.ID]
}

// Decide sends a decision on a pending approval. Besides the errors above it
// returns those of [client.Client.Approve].
func (d *Desk) Decide(ctx context.Context, caller client.Caller, p Pending, decision Decision) error {
	token := p.tokens[decision]
	if token == "" {
		return ErrNoLink
	}
	return d.send(ctx, caller, token, claimsOf(p))
}

// ByToken is a decision by a token that came another way.
type ByToken struct {
	RunID    string
	Decision Decision
	Token    string
	// LinksKnown says that the links which wait in the run are known: then a
	// token that was never seen is none of them.
	LinksKnown bool
}

// DecideByToken sends a token that came another way, unless it is known not to
// be the decision's. known reports that it is known to be.
func (d *Desk) DecideByToken(ctx context.Context, caller client.Caller, by ByToken) (known bool, err error) {
	d.mu.Lock()
	whose, known := d.belongs.of[hashOf(by.Token)]
	d.mu.Unlock()
	switch {
	case known && (whose.runID != by.RunID || whose.decision != by.Decision), !known && by.LinksKnown:
		return known, ErrOtherToken
	case known:
		return true, d.send(ctx, caller, by.Token, whose.claims)
	default:
		return false, d.send(ctx, caller, by.Token, []string{hashOf(by.Token)})
	}
}

// Sent reports whether a decision on the approval was sent.
func (d *Desk) Sent(p Pending) bool {
	claims := claimsOf(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.anySent(claims)
}

// claimsOf returns what sending a decision on an approval claims: its id, and
// both of its tokens, for the other one may come by [Desk.DecideByToken] or
// from a caller to whom the approval has another id.
func claimsOf(p Pending) []string {
	claims := []string{p.ID}
	for _, token := range p.tokens {
		claims = append(claims, hashOf(token))
	}
	return claims
}

// hashOf stands for a token in what is remembered.
func hashOf(token string) string {
	hash := sha256.Sum256([]byte(token))
	return string(hash[:])
}

// send sends a token once it has all the claims.
func (d *Desk) send(ctx context.Context, caller client.Caller, token string, claims []string) error {
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
func (d *Desk) claim(claims []string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.anySent(claims) {
		return false
	}
	for _, c := range claims {
		d.sent.add(c, true)
	}
	return true
}

// anySent reports whether any of the claims is taken; d.mu is held.
func (d *Desk) anySent(claims []string) bool {
	return slices.ContainsFunc(claims, func(c string) bool { return d.sent.of[c] })
}

func (d *Desk) release(claims []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range claims {
		d.sent.remove(c)
	}
}
