package approval

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"unsafe"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/bounded"
)

// Errors of a decision that was not sent.
var (
	ErrAlreadySent = errors.New("a decision was already sent for this approval")
	ErrNoLink      = errors.New("the approval offers no link for this decision")
	ErrOtherToken  = errors.New("the token belongs to the other decision or to another run, or is unknown to this run")
)

// Decider sends decisions: at most one for each approval and for each token of a
// caller in the life of the process. Beyond that the API decides, whose links work
// once. What it remembers of one caller is never used for another. It is safe for
// concurrent use.
type Decider struct {
	api *client.Client
	// Audit records each decision that is sent. nil: nothing is recorded. It is set
	// before the first decision.
	Audit *audit.Log

	mu     sync.Mutex                            // guards the rest
	sent   *bounded.Map[callerItem, bool]        // approvals and tokens that were used
	tokens *bounded.Map[callerItem, knownToken]  // tokens that were seen in a run's links
	shown  *bounded.Map[callerItem, bool]        // approvals whose content the caller was shown
	plans  *bounded.Map[callerRun, *client.Plan] // as the answers to create had them
	counts map[DecisionCount]int64
}

// DecisionCount names a number of decisions that were sent.
type DecisionCount struct {
	Channel  audit.Channel
	Decision Decision
	Outcome  string // see [audit.Outcome]
}

// Stats returns how many decisions were sent since the start.
func (d *Decider) Stats() map[DecisionCount]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counts)
}

const (
	// maxRemembered and maxRememberedBytes bound each of these maps, but plans. Keys of
	// 100 bytes leave room for 10,000 used or shown approvals and for 7,000 tokens.
	maxRemembered      = 10_000
	maxRememberedBytes = 4 << 20
)

// callerItem names an approval, by its ID, or a token, by its hash, of one caller.
type callerItem struct {
	key  client.Key
	name string
}

// size returns what an entry with this key takes in a map, in bytes.
func (i callerItem) size() int { return bounded.EntryBytes + len(i.key) + len(i.name) }

// knownToken is what a token decides.
type knownToken struct {
	runID    client.RunID
	decision Decision
	claims   []callerItem // of the approval, see [claimsOf]
}

// size returns what a token takes beside its key, in bytes.
func (k knownToken) size() int {
	size := int(unsafe.Sizeof(k)) + len(k.runID)
	for _, claim := range k.claims {
		size += int(unsafe.Sizeof(claim)) + len(claim.name) // they share one text of the key
	}
	return size
}

// NewDecider returns a decider that sends through api.
func NewDecider(api *client.Client) *Decider {
	limits := bounded.Limits{Entries: maxRemembered, Bytes: maxRememberedBytes}
	return &Decider{
		api:    api,
		sent:   bounded.New[callerItem, bool](limits),
		tokens: bounded.New[callerItem, knownToken](limits),
		shown:  bounded.New[callerItem, bool](limits),
		counts: map[DecisionCount]int64{},
		plans:  bounded.New[callerRun, *client.Plan](bounded.Limits{Entries: maxPlans, Bytes: maxPlansBytes}),
	}
}

// RememberTokens remembers what the tokens of a pending approval decide.
func (d *Decider) RememberTokens(runID client.RunID, p Pending) {
	claims := claimsOf(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	for decision, token := range p.tokens {
		item, known := callerItem{p.caller, hashOf(token)}, knownToken{runID, decision, claims}
		d.tokens.Add(item, known, item.size()+known.size())
	}
}

// RememberShown remembers that the caller was shown what a pending approval is about.
func (d *Decider) RememberShown(p Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	item := callerItem{p.caller, p.ID}
	d.shown.Add(item, true, item.size())
}

// WasShown reports whether the caller was shown what an approval is about.
func (d *Decider) WasShown(p Pending) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shown.Has(callerItem{p.caller, p.ID})
}

// Decide sends a decision on a pending approval. Besides the errors above it
// returns those of [client.Client.Approve], and [audit.ErrRefused]. by says who decides.
func (d *Decider) Decide(ctx context.Context, caller client.Caller, r Request, decision Decision, by audit.Channel) error {
	token := r.tokens[decision]
	if token == "" {
		return ErrNoLink
	}
	return d.claimAndSend(ctx, caller, sending{token, claimsOf(r.Pending), by, decision, r.effect})
}

// effect returns what the audit log says of a request that is decided.
func (r Request) effect() audit.Effect {
	e := audit.Effect{Digest: r.Digest(), Secrets: r.secrets}
	if r.Run != nil && r.Run.RunID.Valid() {
		e.RunID = r.Run.RunID
	}
	for _, c := range r.calls() {
		e.Tools = append(e.Tools, c.ToolName)
	}
	return e
}

// TokenDecision is a decision by a token that came another way than by the run's
// events.
type TokenDecision struct {
	RunID    client.RunID
	Decision Decision
	Token    string
	// LinksKnown says that the links of what waits in the run are known: then a
	// token that was never seen is not one of them.
	LinksKnown bool
}

// DecideByToken sends a token that came another way, unless it is known to belong to
// something else. known reports whether the token is known to be this decision's.
func (d *Decider) DecideByToken(ctx context.Context, caller client.Caller, t TokenDecision) (known bool, err error) {
	item := callerItem{caller.Key, hashOf(t.Token)}
	d.mu.Lock()
	token, known := d.tokens.Get(item)
	d.mu.Unlock()
	claims := []callerItem{item}
	switch {
	case known && (token.runID != t.RunID || token.decision != t.Decision), !known && t.LinksKnown:
		return known, ErrOtherToken
	case known:
		claims = token.claims
	}
	// Only a model sends a token that came another way. What it decides is not known here.
	effect := func() audit.Effect { return audit.Effect{RunID: t.RunID} }
	return known, d.claimAndSend(ctx, caller, sending{t.Token, claims, audit.Agent, t.Decision, effect})
}

// Sent reports whether a decision on the approval was sent.
func (d *Decider) Sent(p Pending) bool {
	claims := claimsOf(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.anySent(claims)
}

// claimsOf returns what a decision on an approval claims before it is sent: the ID and
// both tokens, for the other token may come by [Decider.DecideByToken].
func claimsOf(p Pending) []callerItem {
	claims := []callerItem{{p.caller, p.ID}}
	for _, token := range p.tokens {
		claims = append(claims, callerItem{p.caller, hashOf(token)})
	}
	return claims
}

// sending is a decision that is about to be sent.
type sending struct {
	token    string
	claims   []callerItem
	channel  audit.Channel
	decision Decision
	effect   func() audit.Effect // what is decided, for the audit log
}

// claimAndSend sends a token if nothing of its claims was used before.
func (d *Decider) claimAndSend(ctx context.Context, caller client.Caller, s sending) error {
	if !d.claim(s.claims) {
		return ErrAlreadySent
	}
	err := d.sendRecorded(ctx, caller, s)
	if errors.Is(err, audit.ErrRefused) {
		d.release(s.claims)
		return err
	}
	if e, ok := errors.AsType[*client.Error](err); ok && hadNoEffect(e) {
		d.release(s.claims)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[DecisionCount{s.channel, s.decision, audit.Outcome(err)}]++
	return err
}

// sendRecorded sends a token and, if decisions are recorded, records that before and
// after.
func (d *Decider) sendRecorded(ctx context.Context, caller client.Caller, s sending) error {
	if d.Audit == nil {
		return d.api.Approve(ctx, caller, s.token)
	}
	e := s.effect()
	e.Action, e.Channel, e.Decision, e.Caller = audit.Decide, s.channel, string(s.decision), caller
	entry, err := d.Audit.Begin(e)
	if err != nil {
		return err
	}
	err = d.api.Approve(ctx, caller, s.token)
	entry.End("", err)
	return err
}

// hadNoEffect reports whether a failed request provably had no effect and did not use
// the token: then the person may try again.
func hadNoEffect(e *client.Error) bool {
	return e.Kind == client.RateLimited || e.Kind == client.Unauthorized || e.Kind != client.OutcomeUnknown && e.Status == 0
}

// claim records what is being sent. It returns false, and records nothing, if any of
// it was recorded before.
func (d *Decider) claim(claims []callerItem) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.anySent(claims) {
		return false
	}
	for _, c := range claims {
		d.sent.Add(c, true, c.size())
	}
	return true
}

// anySent reports whether any of the claims is recorded; d.mu is held.
func (d *Decider) anySent(claims []callerItem) bool {
	return slices.ContainsFunc(claims, d.sent.Has)
}

// release forgets claims whose sending had no effect.
func (d *Decider) release(claims []callerItem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range claims {
		d.sent.Remove(c)
	}
}
