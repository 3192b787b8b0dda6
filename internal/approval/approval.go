// Package approval knows what of a run waits for a person: it finds pending
// approvals in the run's events, names them without giving power, and sends
// each decision at most once.
package approval

import (
	"cmp"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"

	"runs-mcp-server/client"
)

// Decision is what a person decides.
type Decision string

// The two decisions.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
)

// Scope says what an approval is about.
type Scope string

// The scopes of an approval.
const (
	OfRun  Scope = "run"  // the whole run, before it starts
	OfStep Scope = "step" // the tool calls of one step
)

// Pending is something that waits for a decision. Its tokens never leave this
// package; ID names it and gives no power.
type Pending struct {
	ID      string
	Scope   Scope
	EventID int64        // cursor of the event that asked
	Step    *client.Step // what would happen, nil for the run's scope

	caller client.Key // who sees it so
	tokens map[Decision]string
	links  eventLinks // all that the event was seen to have
}

// Untold reports whether a step waits of which the tool calls are not known.
func (p Pending) Untold() bool {
	return p.Scope == OfStep && (p.Step == nil || len(p.Step.ToolCalls) == 0)
}

// Tracker follows one run's events and keeps what is pending. It is not safe
// for concurrent use.
type Tracker struct {
	caller  client.Key
	runID   client.RunID
	key     []byte // makes ids; derived from the caller's API key
	pending []Pending
	settled int64 // cursor up to which asked approvals are no longer pending
	links   map[int64]eventLinks
}

// eventLinks are the tokens that one event's links were seen to have. A decision
// with several is never sent: nobody can tell which of its links is the right one.
type eventLinks map[Decision][]string

// NewTracker returns a tracker for a run as one caller sees it.
func NewTracker(caller client.Caller, runID client.RunID) *Tracker {
	// An error is impossible: the length is below HKDF's limit. Every replica
	// derives the same key, so an approval has the same id on each.
	key, err := hkdf.Key(sha256.New, []byte(caller.Key), nil, "runs-mcp-server approval id", sha256.Size)
	if err != nil {
		panic(err)
	}
	return &Tracker{caller: caller.Key, runID: runID, key: key}
}

// Pending returns what waits for a decision, in the order it was asked.
func (t *Tracker) Pending() []Pending { return slices.Clone(t.pending) }

// Add takes the run's next event, or an amended earlier one. It returns the
// approval that the event asks for, if it asks for one that is new.
func (t *Tracker) Add(e client.Event) (asked Pending, ok bool) {
	if e.Restarted {
		t.pending, t.settled, t.links = nil, 0, nil
	}
	switch links := linksOf(e); {
	case len(links) > 0 && !decided(e.Step):
		return t.ask(e, links)
	case e.Amended:
	case t.settleStep(e):
	case e.Type == client.EventRunAction:
		t.settleDecided(e)
	case e.Step != nil && e.Step.Approval == "NOT_REQUIRED" && !e.RunStatus.Terminal():
		// Another branch of the run goes on while this one waits.
	case e.RunStatus == client.Running, e.RunStatus == client.Queued, e.RunStatus.Terminal():
		t.settleAll(e)
	}
	return Pending{}, false
}

// ask takes an event with links. What the same event said of its links before
// counts, too.
func (t *Tracker) ask(e client.Event, links eventLinks) (asked Pending, ok bool) {
	if t.links == nil {
		t.links = map[int64]eventLinks{}
	}
	known := t.links[e.ID]
	links = known.with(links)
	t.links[e.ID] = links
	p := Pending{Scope: OfRun, EventID: e.ID, caller: t.caller, tokens: links.tokens(), links: links}
	p.ID = t.id(p.tokens)
	if e.Type == client.EventStep || e.Step != nil {
		p.Scope, p.Step = OfStep, e.Step
	}
	if known != nil && t.id(known.tokens()) != p.ID {
		p = t.withdraw(p)
	}
	if i := slices.IndexFunc(t.pending, func(o Pending) bool { return o.ID == p.ID }); i >= 0 {
		if p.Step != nil && len(p.Step.ToolCalls) > 0 { // a person judges by what was said last
			t.pending[i].Scope, t.pending[i].Step = p.Scope, p.Step
		}
		t.pending[i].links = t.pending[i].links.with(links)
		return Pending{}, false
	}
	if e.ID <= t.settled || e.RunStatus.Terminal() || len(p.tokens) == 0 {
		return Pending{}, false
	}
	at, _ := slices.BinarySearchFunc(t.pending, e.ID+1, func(o Pending, id int64) int { return cmp.Compare(o.EventID, id) })
	t.pending = slices.Insert(t.pending, at, p)
	return p, true
}

// withdraw drops the approval that the event of p asked for with other links,
// and returns p with its tool calls, unless it has its own.
func (t *Tracker) withdraw(p Pending) Pending {
	t.pending = slices.DeleteFunc(t.pending, func(o Pending) bool {
		if o.EventID != p.EventID {
			return false
		}
		if o.Step != nil && (p.Step == nil || len(p.Step.ToolCalls) == 0) {
			p.Scope, p.Step = o.Scope, o.Step
		}
		return true
	})
	return p
}

// settleStep drops the approval whose tool calls this event reports as
// decided; false when it reports none.
func (t *Tracker) settleStep(e client.Event) bool {
	if !decided(e.Step) || len(e.Step.ToolCalls) == 0 {
		return false
	}
	return t.settleCall(e.Step.ToolCalls[0].ToolCallID)
}

// decided reports whether a step says that it was decided.
func decided(s *client.Step) bool {
	return s != nil && (s.Approval == "APPROVED" || s.Approval == "DENIED")
}

// settleDecided drops the approval that a run_action decided: the one whose
// tool call it names, or, where it names none, the only one there is.
func (t *Tracker) settleDecided(e client.Event) {
	named := decidedCall(e)
	switch {
	case named != "" && t.settleCall(named):
	case len(t.pending) == 1 && (named == "" || !t.pending[0].namesCalls()):
		t.settleAll(e)
	}
}

// settleCall drops the approval of a tool call; false when none is pending.
func (t *Tracker) settleCall(toolCallID string) bool {
	before := len(t.pending)
	t.pending = slices.DeleteFunc(t.pending, func(p Pending) bool {
		return toolCallID != "" && p.Step != nil && slices.ContainsFunc(p.Step.ToolCalls, func(c client.ToolCall) bool {
			return c.ToolCallID == toolCallID
		})
	})
	return len(t.pending) < before
}

// namesCalls reports whether the ids of the tool calls that wait are known.
func (p Pending) namesCalls() bool {
	return p.Step != nil && slices.ContainsFunc(p.Step.ToolCalls, func(c client.ToolCall) bool { return c.ToolCallID != "" })
}

// decidedCall returns the tool call that a run_action names, "" where it names
// none. The contract leaves open where it does.
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
	var said struct {
		action
		Data    action `json:"data"` // stored events may nest their payload
		Payload action `json:"payload"`
	}
	_ = json.Unmarshal(e.Raw, &said) // fields of another type stay empty
	for _, a := range []action{said.action, said.Data, said.Payload} {
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

func (t *Tracker) settleAll(e client.Event) {
	t.pending, t.settled = nil, e.ID
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

// linksOf returns the tokens of an event's links at the two places where the API
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
			links.add(d, token)
		}
	}
	return links
}

// maxLinks bounds what is kept of one event. An event with as many links for one
// decision is trusted with neither.
const maxLinks = 8

func (l eventLinks) add(d Decision, token string) {
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
				both.add(d, token)
			}
		}
	}
	return both
}

// tokens returns the token of each decision that has just one. A token of both
// decisions is none: which of them it sends, nobody can tell.
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

func (d Decision) other() Decision {
	if d == Approve {
		return Deny
	}
	return Approve
}
