package approval

import (
	"cmp"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"runs-mcp-server/client"
)

// Tracker follows one run's events and knows which approvals are pending. The time
// that an event takes does not depend on how many are. It is not safe for
// concurrent use.
type Tracker struct {
	caller client.Key
	runID  client.RunID
	key    []byte // of the hashes that are approvals' ids; derived from the caller's API key

	pending map[int64]*Pending        // by the event that asked
	byID    map[string]int64          // the event that asked, by the approval's id
	byCall  map[string]map[int64]bool // the events that asked, by the ids of their tool calls
	links   map[int64]eventLinks      // by their event
	// decidedUpTo is a cursor: what was asked up to it is no longer pending.
	decidedUpTo int64
}

// NewTracker returns a tracker for a run as one caller sees it.
func NewTracker(caller client.Caller, runID client.RunID) *Tracker {
	// Every replica derives the same key, so an approval has the same id on each.
	key, err := hkdf.Key(sha256.New, []byte(caller.Key), nil, "runs-mcp-server approval id", sha256.Size)
	if err != nil {
		panic(err) // the length is below HKDF's limit
	}
	t := &Tracker{caller: caller.Key, runID: runID, key: key, links: map[int64]eventLinks{}}
	t.removeAll(0)
	return t
}

// Pending returns what waits for a decision, in the order it was asked.
func (t *Tracker) Pending() (pending []Pending) {
	for _, eventID := range slices.Sorted(maps.Keys(t.pending)) {
		pending = append(pending, *t.pending[eventID])
	}
	return pending
}

// AddEvent takes the run's next event, or an amended earlier one. It returns the
// approval that the event asks for, if it asks for a new one.
func (t *Tracker) AddEvent(e client.Event) (asked Pending, ok bool) {
	if e.Restarted {
		t.removeAll(0)
		clear(t.links)
	}
	switch links := linksOf(e); {
	case len(links) > 0 && !isDecided(e.Step):
		return t.addAsking(e, links)
	case e.Amended:
	case t.removeDecidedStep(e.Step):
	case e.Type == client.EventRunAction:
		t.removeByAction(e)
	case e.Step != nil && e.Step.Approval == "NOT_REQUIRED" && !e.RunStatus.Terminal():
		// Another branch of the run goes on while this one waits.
	case e.RunStatus == client.Running, e.RunStatus == client.Queued, e.RunStatus.Terminal():
		t.removeAll(e.ID)
	}
	return Pending{}, false
}

// addAsking takes an event with approval links. Links that the same event had
// before count, too.
func (t *Tracker) addAsking(e client.Event, links eventLinks) (asked Pending, ok bool) {
	known := t.links[e.ID]
	links = known.with(links)
	t.links[e.ID] = links
	p := Pending{Scope: OfRun, EventID: e.ID, caller: t.caller, tokens: links.tokens(), links: links}
	p.ID = t.id(p.tokens)
	if e.Type == client.EventStep || e.Step != nil {
		p.Scope, p.Step = OfStep, e.Step
	}
	if known != nil && t.id(known.tokens()) != p.ID {
		p = t.replaceEarlier(p)
	}
	if eventID, ok := t.byID[p.ID]; ok {
		t.update(eventID, p)
		return Pending{}, false
	}
	if e.ID <= t.decidedUpTo || e.RunStatus.Terminal() || len(p.tokens) == 0 {
		return Pending{}, false
	}
	t.pending[e.ID], t.byID[p.ID] = &p, e.ID
	t.indexCalls(p)
	return p, true
}

// replaceEarlier removes the approval that the event of p asked for with other links.
// It returns p, with the earlier tool calls if p has none.
func (t *Tracker) replaceEarlier(p Pending) Pending {
	earlier := t.pending[p.EventID]
	if earlier == nil {
		return p
	}
	if earlier.Step != nil && len(p.calls()) == 0 {
		p.Scope, p.Step = earlier.Scope, earlier.Step
	}
	t.remove(p.EventID)
	return p
}

// update takes what was said last of an approval that is pending already.
func (t *Tracker) update(eventID int64, said Pending) {
	p := t.pending[eventID]
	p.links = p.links.with(said.links)
	if len(said.calls()) > 0 {
		t.unindexCalls(*p)
		p.Scope, p.Step = said.Scope, said.Step
		t.indexCalls(*p)
	}
}

// isDecided reports whether a step says that it was decided.
func isDecided(s *client.Step) bool {
	return s != nil && (s.Approval == "APPROVED" || s.Approval == "DENIED")
}

// removeDecidedStep removes the approval whose tool calls a step reports as decided.
// It returns false where there is none.
func (t *Tracker) removeDecidedStep(s *client.Step) bool {
	return isDecided(s) && len(s.ToolCalls) > 0 && t.removeByCall(s.ToolCalls[0].ToolCallID)
}

// removeByAction removes the approval that a run_action decided: the one whose tool
// call it names or, where it names none, the only one there is.
func (t *Tracker) removeByAction(e client.Event) {
	named := decidedCall(e)
	if t.removeByCall(named) || len(t.pending) != 1 {
		return
	}
	for _, only := range t.pending {
		if named == "" || len(only.callIDs()) == 0 {
			t.removeAll(e.ID)
		}
	}
}

// removeByCall removes the approval of a tool call. It returns false where none is
// pending.
func (t *Tracker) removeByCall(toolCallID string) (removed bool) {
	for eventID := range t.byCall[toolCallID] {
		t.remove(eventID)
		removed = true
	}
	return removed
}

func (t *Tracker) remove(eventID int64) {
	p := t.pending[eventID]
	t.unindexCalls(*p)
	delete(t.byID, p.ID)
	delete(t.pending, eventID)
}

// indexCalls enters an approval into byCall.
func (t *Tracker) indexCalls(p Pending) {
	for _, id := range p.callIDs() {
		if t.byCall[id] == nil {
			t.byCall[id] = map[int64]bool{}
		}
		t.byCall[id][p.EventID] = true
	}
}

// unindexCalls takes an approval out of byCall.
func (t *Tracker) unindexCalls(p Pending) {
	for _, id := range p.callIDs() {
		delete(t.byCall[id], p.EventID)
		if len(t.byCall[id]) == 0 {
			delete(t.byCall, id)
		}
	}
}

// removeAll removes what was asked up to a cursor, which is all that there is.
func (t *Tracker) removeAll(upTo int64) {
	t.pending, t.byID, t.byCall, t.decidedUpTo = map[int64]*Pending{}, map[string]int64{}, map[string]map[int64]bool{}, upTo
}

// id names an approval: a keyed hash of the run and its tokens.
func (t *Tracker) id(tokens map[Decision]string) string {
	mac := hmac.New(sha256.New, t.key)
	for _, part := range []string{string(t.runID), tokens[Approve], tokens[Deny]} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10]))
}

// decidedCall returns the id of the tool call that a run_action names, "" for none.
// The contract leaves open where in the event it stands.
func decidedCall(e client.Event) string {
	type call struct {
		ToolCallID string `json:"toolCallId"`
	}
	type action struct {
		call
		ToolCall call `json:"toolCall"`
		Step     struct {
			call
			ToolCalls []call `json:"toolCalls"`
		} `json:"step"`
	}
	var event struct {
		action
		Data    action `json:"data"` // stored events may nest their payload
		Payload action `json:"payload"`
	}
	_ = json.Unmarshal(e.Raw, &event) // fields of another type stay empty
	for _, a := range []action{event.action, event.Data, event.Payload} {
		id := cmp.Or(a.ToolCallID, a.ToolCall.ToolCallID, a.Step.ToolCallID)
		if id == "" && len(a.Step.ToolCalls) == 1 {
			id = a.Step.ToolCalls[0].ToolCallID
		}
		if id != "" {
			return id
		}
	}
	return ""
}

// eventLinks are the tokens that the links of one event have had, by decision. A
// decision with several is never sent: nobody can tell which one is right.
type eventLinks map[Decision][]string

// maxLinks bounds the tokens of one event for one decision. An event with as many
// cannot be trusted: it has no token for either decision.
const maxLinks = 8

// linksOf returns the tokens of an event's links, from the two places where the API
// puts them.
func linksOf(e client.Event) eventLinks {
	links := eventLinks{}
	actions := e.ApprovalActions
	if e.Step != nil {
		actions = slices.Concat(actions, e.Step.ApprovalActions)
	}
	for _, link := range actions {
		d := Decision(strings.ToLower(link.Action))
		if token := link.Token(); token != "" && (d == Approve || d == Deny) {
			links.addToken(d, token)
		}
	}
	return links
}

func (l eventLinks) addToken(d Decision, token string) {
	if len(l[d]) < maxLinks && !slices.Contains(l[d], token) {
		l[d] = append(l[d], token)
	}
}

// with returns the links of both.
func (l eventLinks) with(more eventLinks) eventLinks {
	both := eventLinks{}
	for _, links := range []eventLinks{l, more} {
		for d, tokens := range links {
			for _, token := range tokens {
				both.addToken(d, token)
			}
		}
	}
	return both
}

// tokens returns the token of each decision that has exactly one. A token that both
// decisions have counts for neither: nobody can tell which one it sends.
func (l eventLinks) tokens() map[Decision]string {
	tokens := map[Decision]string{}
	for d, all := range l {
		if len(all) == maxLinks || slices.ContainsFunc(all, func(token string) bool { return slices.Contains(l[d.other()], token) }) {
			return nil
		}
		if len(all) == 1 {
			tokens[d] = all[0]
		}
	}
	return tokens
}
