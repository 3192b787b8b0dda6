package follow

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
)

// maxKnown bounds the events that are known by their content, some 100 bytes each.
const maxKnown = 100_000

// source is where an event came from.
type source int

const (
	fromRead source = iota
	fromStream
)

// known are the newest events that were given, in order, by content: time, text
// and reason, tool call, type, and of what is no step the status.
type known struct {
	seed    maphash.Seed
	entries []entry
	newest  map[bucket]int32 // the index of the newest entry of a text and a second
	pass    [2]uint32        // the current read and connection: each repeats an event once
	forgot  bool             // older ones were given
}

// bucket holds the entries that may have the same content.
type bucket struct {
	text   uint64
	second int64
}

// entry is what is remembered of an event. A hash is 0 where the event does not say.
type entry struct {
	cursor   int64
	at       int64  // milliseconds, 0 where the event does not say
	text     uint64 // a hash of what it says
	call     uint32 // a hash of the first tool call's id
	name     uint32 // a hash of the type, for what is neither a step nor an authorisation
	said     details
	older    int32     // the index before in the bucket, -1 at its end
	repeated [2]uint32 // the read and the connection that said it last
}

func newKnown() known {
	return known{seed: maphash.MakeSeed(), newest: map[bucket]int32{}, pass: [2]uint32{1, 1}}
}

// begin begins a read or a connection.
func (k *known) begin(s source) { k.pass[s]++ }

// hash returns 0 for "" alone.
func (k *known) hash(s string) uint32 {
	if s == "" {
		return 0
	}
	return uint32(maphash.String(k.seed, s)) | 1
}

// entry describes an event. Stored events may lack their type, and a step its tool calls.
func (k *known) entry(e client.Event) entry {
	n := entry{cursor: e.ID, said: k.details(e)}
	var text string
	if t, err := time.Parse(time.RFC3339, e.Timestamp); err == nil {
		n.at = t.UnixMilli()
	}
	switch {
	case e.Step != nil:
		text = "step\x00" + e.Step.Text + "\x00" + e.Step.Reason
		if len(e.Step.ToolCalls) > 0 {
			n.call = k.hash(e.Step.ToolCalls[0].ToolCallID)
		}
	case e.Auth != nil:
		text = "authentication\x00" + e.Auth.Status
	default:
		text, n.name = "run\x00"+string(e.RunStatus), k.hash(strings.ToLower(e.Type))
	}
	n.text = maphash.String(k.seed, text) // all 64 bits: among 100,000 texts some share 32
	return n
}

// match returns the event that e repeats, nil where it is new: the one of its
// cursor, or the oldest that this read or connection has not repeated yet.
func (k *known) match(e client.Event, s source) *entry {
	n := k.entry(e)
	found := int32(-1)
	for second := n.at/1000 - 1; second <= n.at/1000+1; second++ {
		i, ok := k.newest[bucket{n.text, second}]
		for ; ok && i >= 0; i = k.entries[i].older {
			o := &k.entries[i]
			switch {
			case !n.agrees(o):
			case o.cursor == n.cursor:
				o.repeated[s] = k.pass[s]
				return o
			case o.repeated[s] != k.pass[s] && (found < 0 || i < found):
				found = i
			}
		}
	}
	if i, ok := k.under(n); found < 0 && ok && k.entries[i].repeated[s] != k.pass[s] {
		found = int32(i)
	}
	if found < 0 {
		return nil
	}
	k.entries[found].repeated[s] = k.pass[s]
	return &k.entries[found]
}

// agrees reports whether two entries of one text may be of one event. The API may
// stamp what it stores and what it streams for itself, or store whole seconds.
func (n *entry) agrees(o *entry) bool {
	return max(n.at-o.at, o.at-n.at) < 1000 && alike(n.call, o.call) && alike(n.name, o.name)
}

// alike reports whether two hashes do not differ, as far as both are said.
func alike(a, b uint32) bool { return a == 0 || b == 0 || a == b }

// under returns the entry of the same id and millisecond, whose text or status
// the API may tell otherwise now.
func (k *known) under(n entry) (int, bool) {
	i, ok := slices.BinarySearchFunc(k.entries, n.cursor, func(o entry, cursor int64) int { return cmp.Compare(o.cursor, cursor) })
	return i, ok && n.at%1000 != 0 && n.at == k.entries[i].at && alike(n.call, k.entries[i].call)
}

// add remembers an event that was given.
func (k *known) add(e client.Event, s source) {
	if len(k.entries) == maxKnown {
		k.forget()
	}
	n := k.entry(e)
	n.repeated[s] = k.pass[s]
	k.entries = append(k.entries, n)
	k.link(len(k.entries) - 1)
}

func (k *known) link(i int) {
	n := &k.entries[i]
	b := bucket{n.text, n.at / 1000}
	n.older = -1
	if older, ok := k.newest[b]; ok {
		n.older = older
	}
	k.newest[b] = int32(i)
}

// forget lets go of the oldest quarter.
func (k *known) forget() {
	k.entries = slices.Delete(k.entries, 0, maxKnown/4)
	k.forgot = true
	clear(k.newest)
	for i := range k.entries {
		k.link(i)
	}
}

// details are what an event may say later than it comes.
type details struct {
	links            bool
	pending, decided bool   // what is said of its approval
	calls            uint32 // a hash of the tool calls, 0 where there are none
}

func (k *known) details(e client.Event) details {
	d := details{links: len(e.Links()) > 0}
	if e.Step == nil {
		return d
	}
	d.pending, d.decided = e.Step.Approval == "PENDING", e.Step.Approval != "" && e.Step.Approval != "PENDING"
	var calls strings.Builder
	for _, c := range e.Step.ToolCalls {
		calls.WriteString(c.ToolCallID + "\x00" + c.ToolName + "\x00" + string(c.ToolParameters) + "\x00")
	}
	d.calls = k.hash(calls.String())
	return d
}

// add takes what is said now and reports whether it is more. A person decides by
// the tool calls that were said last.
func (d *details) add(now details) bool {
	decided := d.pending && now.decided
	linked := now.links && !d.links
	calls := now.calls != 0 && (d.calls == 0 || now.pending && !d.decided && now.calls != d.calls)
	d.links = d.links || linked
	if calls {
		d.calls = now.calls
	}
	if decided {
		d.pending, d.decided = false, true
	}
	return decided || linked || calls
}
