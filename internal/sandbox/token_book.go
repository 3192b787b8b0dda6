package sandbox

import (
	"crypto/rand"
	"net/url"
	"sync"
)

// approvalBase is a foreign host on purpose: a client must use only the token of a
// link.
const approvalBase = "https://approvals.sandbox.invalid/v1/runs/approval"

// tokenBook holds the one-time tokens of all approvals. The two tokens of an
// approval are spent together.
type tokenBook struct {
	mu     sync.Mutex // guards tokens and byRun
	tokens map[string]tokenEntry
	byRun  map[*run][]string
}

type tokenEntry struct {
	approval *approval
	decision Decision
	sibling  string // the token of the other decision
}

func newTokenBook() *tokenBook {
	return &tokenBook{tokens: map[string]tokenEntry{}, byRun: map[*run][]string{}}
}

// issueLinks returns the two links of an approval, to approve and to deny.
func (b *tokenBook) issueLinks(a *approval) []approvalLink {
	approve, deny := rand.Text(), rand.Text()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens[approve] = tokenEntry{a, Approve, deny}
	b.tokens[deny] = tokenEntry{a, Deny, approve}
	b.byRun[a.run] = append(b.byRun[a.run], approve, deny)
	return []approvalLink{
		{Approve, approvalBase + "?token=" + url.QueryEscape(approve)},
		{Deny, approvalBase + "?token=" + url.QueryEscape(deny)},
	}
}

// spendToken removes a token and its sibling. The token of another owner is
// unknown, and stays.
func (b *tokenBook) spendToken(owner int, token string) (tokenEntry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.tokens[token]
	if !ok || e.approval.run.owner != owner {
		return tokenEntry{}, false
	}
	delete(b.tokens, token)
	delete(b.tokens, e.sibling)
	return e, true
}

// voidTokens removes every token of a run.
func (b *tokenBook) voidTokens(r *run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, token := range b.byRun[r] {
		delete(b.tokens, token)
	}
	delete(b.byRun, r)
}
