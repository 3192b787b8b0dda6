package sandbox

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
)

// approvalBase is a foreign host on purpose: a client must take the token out
// of a link and nothing else.
const approvalBase = "https://approvals.sandbox.invalid/v1/runs/approval"

// approval is one thing that waits for a decision: a whole run, or the tool
// call it names.
type approval struct {
	run        *run
	toolCallID string // empty for the whole run
	plan       planStep
	answered   chan<- *approval // has room for every approval of its batch
}

// tokenBook holds the one-time tokens. The two tokens of an approval leave it
// together, whichever of them is used.
type tokenBook struct {
	mu     sync.Mutex // guards tokens and byRun
	tokens map[string]entry
	byRun  map[*run][]string
}

type entry struct {
	approval *approval
	decision Decision
	sibling  string
}

func newTokenBook() *tokenBook {
	return &tokenBook{tokens: map[string]entry{}, byRun: map[*run][]string{}}
}

// issue makes the two links of an approval.
func (b *tokenBook) issue(a *approval) []approvalLink {
	yes, no := rand.Text(), rand.Text()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens[yes] = entry{a, Approve, no}
	b.tokens[no] = entry{a, Deny, yes}
	b.byRun[a.run] = append(b.byRun[a.run], yes, no)
	return []approvalLink{
		{Approve, approvalBase + "?token=" + url.QueryEscape(yes)},
		{Deny, approvalBase + "?token=" + url.QueryEscape(no)},
	}
}

// take spends a token and its sibling. Another owner's token stays good.
func (b *tokenBook) take(owner int, token string) (entry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.tokens[token]
	if !ok || e.approval.run.owner != owner {
		return entry{}, false
	}
	delete(b.tokens, token)
	delete(b.tokens, e.sibling)
	return e, true
}

// void forgets every token of a run.
func (b *tokenBook) void(r *run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, token := range b.byRun[r] {
		delete(b.tokens, token)
	}
	delete(b.byRun, r)
}

func (s *Sandbox) runApproval(w http.ResponseWriter, r *http.Request, owner int) *problem {
	s.counts.approvalCalls.Add(1)
	token := r.URL.Query().Get("token")
	if token == "" {
		return invalid("token should not be empty", "token must be a string")
	}
	e, ok := s.tokens.take(owner, token)
	if !ok || !e.approval.decide(e.decision) {
		return refuse(http.StatusBadRequest, "token already used or unknown")
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// decide applies a decision before the call is answered: whoever reads the run
// after the answer must not find it still paused. It reports false when the
// run has ended meanwhile.
func (a *approval) decide(d Decision) bool {
	r := a.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.decisions = append(r.decisions, d)
	r.waiting--
	action := draft{name: "run_action", body: payload{Action: d, ToolCallID: a.toolCallID}}
	if d == Deny {
		r.counts.denials.Add(1)
		before := []draft{action}
		if a.toolCallID != "" {
			before = append(before, draft{name: "step", body: payload{Step: r.stepOf(a.plan, "DENIED")}})
		}
		r.end(statusCanceled, nil, before...)
		return true
	}
	r.counts.approvals.Add(1)
	if r.waiting == 0 {
		action.status = statusRunning
	}
	r.append(action)
	a.answered <- a
	return true
}
