package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"runs-mcp-server/internal/rawjson"
)

const (
	// maxEvents bounds the events of a run that are decoded, of 150 bytes and more
	// each. An answer with more events has less than 240 bytes for each. It must be
	// less than maxKnown of client/follow, or stored events would be taken for new.
	maxEvents = 70_000
	// maxListedEvents is the same bound for each run of a list.
	maxListedEvents = 10
)

// UnmarshalJSON decodes a run of an answer of the API.
func (r *Run) UnmarshalJSON(data []byte) error {
	return r.decode(slices.Clone(data), maxEvents)
}

// runNames are the fields of a run that are read. Older answers call the events
// stepsFinished.
var runNames = []string{"runId", "repeatKey", "repeatRunId", "status", "executionPlanId", "intent", "context",
	"createdAt", "updatedAt", "result", "plan", "events", "stepsFinished"}

// decode decodes a run from valid JSON, with at most so many of its newest events.
// Result is a part of the text. Fields that are missing or of the wrong type stay
// empty: one odd field must not cost the rest.
func (r *Run) decode(text []byte, most int) error {
	*r = Run{}
	if text = bytes.TrimSpace(text); !bytes.HasPrefix(text, []byte("{")) && !rawjson.IsNull(text) {
		return errors.New("a run that is no object")
	}
	var events, finished []byte
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, runNames) {
		case "runId":
			r.RunID = readRunID(value)
		case "repeatKey":
			rawjson.ReadText(&r.RepeatKey, value)
		case "repeatRunId":
			r.RepeatRunID = readRunID(value)
		case "status":
			rawjson.ReadText(&r.Status, value)
		case "executionPlanId":
			rawjson.ReadText(&r.ExecutionPlanID, value)
		case "intent":
			rawjson.ReadText(&r.Intent, value)
		case "context":
			rawjson.ReadText(&r.Context, value)
		case "createdAt":
			rawjson.ReadText(&r.CreatedAt, value)
		case "updatedAt":
			rawjson.ReadText(&r.UpdatedAt, value)
		case "result":
			r.Result = value
		case "plan":
			rawjson.ReadObject(&r.Plan, value, (*Plan).decode)
		case "events":
			events = value
		case "stepsFinished":
			finished = value
		}
	}
	r.readEvents(firstArray(events, finished), most)
	return nil
}

// firstArray returns the first value that is an array, nil where none is.
func firstArray(values ...[]byte) []byte {
	for _, value := range values {
		if rawjson.IsArray(value) {
			return value
		}
	}
	return nil
}

// readEvents decodes the newest items of a run's events, at most so many.
//
// If all items have integer ids they are sorted by them. If none has, the position
// of an item is its cursor. An item without an id, or with the id of an earlier one,
// gets the next cursor.
func (r *Run) readEvents(items []byte, most int) {
	if items == nil {
		return
	}
	count := rawjson.Count(items)
	r.Events, r.Earlier = make([]Event, 0, min(count, most)), max(count-most, 0)
	skip := skipper{left: r.Earlier}
	if r.Earlier > 0 {
		skip.prepare(items)
	}
	numbered := 0
	for item := range rawjson.Items(items) {
		e, ok := storedEvent(item)
		if ok {
			numbered++
		}
		if skip.skips(e.ID) {
			r.tokens = append(r.tokens, e.ApprovalTokens()...)
			continue
		}
		r.Events = append(r.Events, e)
	}
	if numbered == count {
		slices.SortStableFunc(r.Events, func(a, b Event) int { return cmp.Compare(a.ID, b.ID) })
	}
	last := skip.last
	for i := range r.Events {
		e := &r.Events[i]
		e.ID = max(e.ID, last+1)
		last = e.ID
	}
	if r.Earlier > 0 {
		r.Events[0].Missing = int64(r.Earlier)
	}
	r.Positions = numbered == 0 && count > 0
}

// skipper selects the oldest events of an answer, which are not decoded.
type skipper struct {
	left int   // how many are still to be skipped
	last int64 // the cursor of the newest skipped event
	// Both are 0 if the items are sorted, or one has no id.
	from  int64 // the lowest id that is decoded
	equal int   // how many items with that id are skipped
}

// prepare looks for ids that all items have, but not in order.
func (o *skipper) prepare(items []byte) {
	sorted, before := true, int64(0)
	for item := range rawjson.Items(items) {
		id, ok := storedID(item)
		if !ok {
			return
		}
		sorted, before = sorted && id >= before, id
	}
	if sorted {
		return
	}
	ids := make([]int64, 0, rawjson.Count(items))
	for item := range rawjson.Items(items) {
		id, _ := storedID(item)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	o.from = ids[o.left]
	first, _ := slices.BinarySearch(ids, o.from)
	o.equal = o.left - first
	for _, id := range ids[:o.left] {
		o.last = max(id, o.last+1)
	}
}

// skips reports whether the next item is to be skipped. id is 0 if it has none.
func (o *skipper) skips(id int64) bool {
	switch {
	case o.left == 0 || id > o.from && o.from > 0:
		return false
	case o.from == 0:
		o.last = max(id, o.last+1)
	case id == o.from && o.equal == 0:
		return false
	case id == o.from:
		o.equal--
	}
	o.left--
	return true
}

var storedNames = []string{"id", "eventId", "event", "type", "data", "payload"}

// stored is one item of a run's events. Its id and name may stand under several
// keys, and its payload may be nested.
type stored struct{ id, eventID, event, kind, data, payload []byte }

func (s *stored) decode(item []byte) {
	for name, value := range rawjson.Members(item) {
		switch rawjson.Name(name, storedNames) {
		case "id":
			s.id = value
		case "eventId":
			s.eventID = value
		case "event":
			s.event = value
		case "type":
			s.kind = value
		case "data":
			s.data = value
		case "payload":
			s.payload = value
		}
	}
}

// number returns the item's integer id.
func (s *stored) number() (int64, bool) {
	for _, id := range [][]byte{s.id, s.eventID} {
		if len(id) > 0 { // else eventID would allocate an error, for millions of items
			if n, isInt := eventID(strings.Trim(string(id), `"`)); isInt {
				return n, true
			}
		}
	}
	return 0, false
}

// storedID returns the integer id of one item.
func storedID(raw []byte) (int64, bool) {
	var s stored
	s.decode(objectIn(raw))
	return s.number()
}

// storedEvent decodes one item. ok reports whether it has an integer id. An item
// that is no object is Raw alone.
func storedEvent(raw []byte) (e Event, ok bool) {
	var s stored
	item := objectIn(raw)
	s.decode(item)
	payload := item
	for _, nested := range [][]byte{s.data, s.payload} {
		if nested = objectIn(nested); bytes.HasPrefix(nested, []byte("{")) {
			payload = nested
			break
		}
	}
	e = decodeValidEvent(firstName(s.event, s.kind), payload)
	e.Raw = raw
	e.ID, ok = s.number()
	return e, ok
}

// objectIn returns the JSON object in a string. It returns any other value as it is.
func objectIn(raw []byte) []byte {
	if !bytes.HasPrefix(raw, []byte(`"`)) {
		return raw
	}
	text, _ := rawjson.String(raw)
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return []byte(text)
	}
	return raw
}

// firstName returns the first of the raw values that is a string, "" when none is.
func firstName(values ...[]byte) string {
	for _, v := range values {
		if s, _ := rawjson.String(v); s != "" {
			return s
		}
	}
	return ""
}

// ApprovalTokens returns the tokens of all events that the answer held.
func (r *Run) ApprovalTokens() []string {
	tokens := slices.Clip(r.tokens)
	if len(tokens) > 0 { // there are very many: growing would copy them several times
		tokens = slices.Grow(tokens, len(r.Events))
	}
	for _, e := range r.Events {
		tokens = append(tokens, e.ApprovalTokens()...)
	}
	return tokens
}
