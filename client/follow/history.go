package follow

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
)

// maxKnown bounds the events whose content is remembered, some 100 bytes each.
const maxKnown = 100_000

// source is where an event came from.
type source int

const (
	fromRead source = iota
	fromStream
)

// history remembers the newest yielded events, in order, by their content: time,
// text and reason, first tool call, type, and the status of what is no step.
type history struct {
	seed      maphash.Seed
	entries   []entry
	newest    map[bucket]int32 // the newest entry of each bucket: its index + 1
	pass      [2]uint32        // the number of the current read and stream: each repeats an event once
	truncated bool             // older events were forgotten
}

// bucket holds the entries of one text and one second. Equal contents are in the
// same bucket or in neighbouring seconds.
type bucket struct {
	text   uint64
	second int64
}

// entry is what is remembered of an event. A hash is 0 if the event lacks the field.
type entry struct {
	cursor   int64
	at       int64  // Unix time in milliseconds, 0 if the event has none
	text     uint64 // a hash of the text, reason or status
	call     uint32 // a hash of the first tool call's id
	name     uint32 // a hash of the type, for what is neither a step nor an authorisation
	details  details
	older    int32     // the next older entry of the bucket: its index + 1, 0 for none
	lastPass [2]uint32 // the read and the stream that repeated it last
}

func newHistory() history {
	return history{seed: maphash.MakeSeed(), newest: map[bucket]int32{}, pass: [2]uint32{1, 1}}
}

// startPass begins a read or a stream.
func (h *history) startPass(from source) { h.pass[from]++ }

// find returns the entry of the event that e repeats, nil if e is new.
func (h *history) find(e client.Event, from source) *entry {
	n := h.newEntry(e)
	known := h.findContent(n, from)
	if known == nil {
		known = h.findMoment(n, from)
	}
	if known != nil {
		known.lastPass[from] = h.pass[from]
	}
	return known
}

// findContent returns the entry of the same content and cursor, or else the oldest of
// the same content that this read or stream has not repeated yet.
func (h *history) findContent(n entry, from source) *entry {
	var oldest *entry
	index := int32(0)
	for second := n.at/1000 - 1; second <= n.at/1000+1; second++ {
		for i := h.newest[bucket{n.text, second}]; i > 0; i = h.entries[i-1].older {
			known := &h.entries[i-1]
			switch {
			case !n.agrees(known):
			case known.cursor == n.cursor:
				return known
			case known.lastPass[from] != h.pass[from] && (oldest == nil || i < index):
				oldest, index = known, i
			}
		}
	}
	return oldest
}

// agrees reports whether two entries of one text may be of the same event. The API
// may stamp stored and streamed events separately, or store whole seconds.
func (n *entry) agrees(known *entry) bool {
	return max(n.at-known.at, known.at-n.at) < 1000 && compatible(n.call, known.call) && compatible(n.name, known.name)
}

// compatible reports whether two hashes are equal, or one of them is unknown.
func compatible(a, b uint32) bool { return a == 0 || b == 0 || a == b }

// findMoment returns the entry of the same cursor and millisecond: the API may have
// changed the text or status of the event. A time of whole seconds is not enough.
func (h *history) findMoment(n entry, from source) *entry {
	i, ok := slices.BinarySearchFunc(h.entries, n.cursor, func(known entry, cursor int64) int { return cmp.Compare(known.cursor, cursor) })
	if !ok || n.at%1000 == 0 {
		return nil
	}
	known := &h.entries[i]
	if known.at != n.at || !compatible(n.call, known.call) || known.lastPass[from] == h.pass[from] {
		return nil
	}
	return known
}

// addEvent remembers an event that was yielded.
func (h *history) addEvent(e client.Event, from source) {
	if len(h.entries) == maxKnown {
		h.forgetOldest()
	}
	n := h.newEntry(e)
	n.lastPass[from] = h.pass[from]
	h.entries = append(h.entries, n)
	h.link(len(h.entries) - 1)
}

// forgetOldest removes the oldest quarter.
func (h *history) forgetOldest() {
	h.entries = slices.Delete(h.entries, 0, maxKnown/4)
	h.truncated = true
	clear(h.newest)
	for i := range h.entries {
		h.link(i)
	}
}

// link makes an entry the newest of its bucket.
func (h *history) link(i int) {
	n := &h.entries[i]
	b := bucket{n.text, n.at / 1000}
	n.older, h.newest[b] = h.newest[b], int32(i+1)
}

// newEntry describes an event. Stored events may lack their type, and a step its
// tool calls.
func (h *history) newEntry(e client.Event) entry {
	n := entry{cursor: e.ID, details: h.detailsOf(e)}
	var text string
	if t, err := time.Parse(time.RFC3339, e.Timestamp); err == nil {
		n.at = t.UnixMilli()
	}
	switch {
	case e.Step != nil:
		text = "step\x00" + e.Step.Text + "\x00" + e.Step.Reason
		if len(e.Step.ToolCalls) > 0 {
			n.call = h.hash(e.Step.ToolCalls[0].ToolCallID)
		}
	case e.Auth != nil:
		text = "authentication\x00" + e.Auth.Status
	default:
		text, n.name = "run\x00"+string(e.RunStatus), h.hash(strings.ToLower(e.Type))
	}
	n.text = maphash.String(h.seed, text) // all 64 bits: among 100,000 texts some share 32
	return n
}

// hash returns 0 for "" alone.
func (h *history) hash(s string) uint32 {
	if s == "" {
		return 0
	}
	return uint32(maphash.String(h.seed, s)) | 1
}

// details are what the API may add to an event later.
type details struct {
	links            bool   // it has approval links
	pending, decided bool   // the state of its approval
	calls            uint32 // a hash of the tool calls, 0 for none
}

func (h *history) detailsOf(e client.Event) details {
	d := details{links: len(e.Links()) > 0}
	if e.Step == nil {
		return d
	}
	d.pending = e.Step.Approval == "PENDING"
	d.decided = e.Step.Approval != "" && !d.pending
	var calls strings.Builder
	for _, c := range e.Step.ToolCalls {
		calls.WriteString(c.ToolCallID + "\x00" + c.ToolName + "\x00" + string(c.ToolParameters) + "\x00")
	}
	d.calls = h.hash(calls.String())
	return d
}

// merge adds the details of a repetition and reports whether they are more: links,
// tool calls, or a decision. Of a pending step the tool calls may change, and a
// person decides on the newest.
func (d *details) merge(now details) bool {
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
