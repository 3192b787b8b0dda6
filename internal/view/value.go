package view

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"runs-mcp-server/internal/rawjson"
	"runs-mcp-server/internal/redact"
)

const (
	maxDepth     = 16  // levels of a value that are shown
	maxFieldName = 128 // bytes of a field's name
	// minShare is the least that a field gets, in bytes. With less it would show
	// little but a mark of what is left out.
	minShare = 40
)

// Value renders a JSON value in about limit bytes, nil for none: strings and names as
// [View.Text] does, without credentials. Beyond the limit long strings are cut, and
// arrays and objects have fewer items, with marks that say how much is left out. Small
// fields of an object are shown before large ones.
func (v View) Value(raw json.RawMessage, limit int) any {
	value, _ := v.Fit(raw, limit)
	return value
}

// Fit returns what Value does, and whether that is the whole value. It reads the value
// as it is written: a decoded value takes many times its size.
func (v View) Fit(raw json.RawMessage, limit int) (value any, whole bool) {
	if len(raw) == 0 {
		return nil, true
	}
	c := cutter{view: v}
	if weight(raw, limit) <= limit {
		limit = math.MaxInt32 // nothing is to be cut
	}
	value, _ = c.value(raw, 0, limit)
	return value, !c.cut
}

// cutter renders a value in a budget of bytes. Its methods return what is shown and
// about how many bytes that takes.
type cutter struct {
	view View
	cut  bool // something was left out
}

func (c *cutter) value(raw []byte, depth, limit int) (shown any, took int) {
	switch raw[0] {
	case '"':
		return c.text(raw, limit)
	case '[':
		return c.array(raw, depth, limit)
	case '{':
		return c.object(raw, depth, limit)
	case 'n':
		return nil, 5
	case 't', 'f':
		return raw[0] == 't', 5
	}
	// A very long number is shown as a text, and so is one that a float64 cannot hold:
	// clients that decode it into one would fail.
	number := json.Number(raw)
	s := c.view.Text(number.String(), 64)
	if _, err := number.Float64(); s != number.String() || err != nil {
		return s, len(s) + 3
	}
	return number, len(s) + 1
}

// maxHead is how much of a long string is decoded to show its beginning, in bytes. If
// nothing in it is visible, the string is left out.
const maxHead = 256 << 10

func (c *cutter) text(raw []byte, limit int) (shown any, took int) {
	limit = max(limit-markSize, 0)
	head, left := rawjson.Prefix(raw, max(maxHead, min(limit, math.MaxInt32/8)*8))
	s, whole := c.view.text(head, left, limit)
	c.cut = c.cut || !whole
	return s, len(s) + 3
}

func (c *cutter) array(raw []byte, depth, limit int) (shown any, took int) {
	took = 2
	if depth == maxDepth {
		c.cut = true
		return fmt.Sprintf("[%d items left out: too deep]", rawjson.Count(raw)), took
	}
	out, left := []any{}, 0
	for item := range rawjson.Items(raw) {
		if left > 0 || took >= limit {
			left++
			continue
		}
		shown, n := c.value(item, depth+1, limit-took)
		out, took = append(out, shown), took+n
	}
	if left > 0 {
		c.cut = true
		out = append(out, fmt.Sprintf("[%d more items left out]", left))
	}
	return out, took
}

func (c *cutter) object(raw []byte, depth, limit int) (shown any, took int) {
	took = 2
	if depth == maxDepth {
		c.cut = true
		return fmt.Sprintf("[%d fields left out: too deep]", rawjson.Count(raw)), took
	}
	fields, left := fieldsOf(raw, max(limit, 1)) // more fields need more bytes
	all, out := len(fields)+left, make(map[string]any, len(fields))
	c.labelFields(fields)
	for i, f := range smallestFirst(fields, limit) {
		share := (limit - took) / (all - i)
		if share < minShare && took+weight(f.value, limit+markSize) > limit+markSize {
			left = all - i
			break
		}
		took += len(f.label) + 4
		if secretField(f.name) {
			out[f.label] = redact.Removed
			continue
		}
		shown, n := c.value(f.value, depth+1, share-len(f.label)-4)
		out[f.label], took = shown, took+n
	}
	if left > 0 {
		c.cut = true
		out["[left out]"] = strconv.Itoa(left) + " more fields"
	}
	return out, took
}

// secretField reports whether a name is that of a header with credentials. The value of
// such a field is never shown.
func secretField(name string) bool {
	switch strings.ToLower(redact.Visible(name)) {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return true
	}
	return false
}

// labelFields gives fields the names under which they are shown. Different names get
// different labels, even where they look alike: no field replaces another.
func (c *cutter) labelFields(fields []field) {
	taken := map[string]bool{"[left out]": true}
	for i := range fields {
		label := c.view.Text(fields[i].name, maxFieldName)
		for taken[label] {
			label += " [again]"
		}
		fields[i].label, taken[label] = label, true
	}
}

// field is one field of an object.
type field struct {
	name   string
	label  string // the name as it is shown
	value  []byte
	weight int // see [weight]
}

// fieldsOf returns the fields of an object, sorted by name, at most most of them, and
// how many are left. Of fields with the same name the last counts. It holds 2*most
// fields at a time.
func fieldsOf(object []byte, most int) (fields []field, left int) {
	var beyond string // once there are most fields: fields with a later name are left out
	for quoted, value := range rawjson.Members(object) {
		if beyond != "" && string(quoted[1:len(quoted)-1]) > beyond && !slices.Contains(quoted, '\\') {
			left++
			continue
		}
		name, _ := rawjson.String(quoted)
		fields = append(fields, field{name: name, value: value})
		if len(fields) == 2*most {
			var dropped int
			if fields, dropped = firstFields(fields, most); len(fields) == most {
				beyond = fields[most-1].name
			}
			left += dropped
		}
	}
	fields, dropped := firstFields(fields, most)
	return fields, left + dropped
}

// firstFields sorts fields by name, and keeps the last of each name and at most most
// of them.
func firstFields(fields []field, most int) (first []field, dropped int) {
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	first = fields[:0]
	for i, f := range fields {
		if i+1 == len(fields) || fields[i+1].name != f.name {
			first = append(first, f)
		}
	}
	dropped = max(len(first)-most, 0)
	return first[:len(first)-dropped], dropped
}

// smallestFirst sorts fields by weight: the large ones share what the small ones leave.
func smallestFirst(fields []field, limit int) []field {
	for i := range fields {
		fields[i].weight = weight(fields[i].value, limit)
	}
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(a.weight, b.weight) })
	return fields
}

// weight returns about how many bytes a value takes when it is shown, most+1 if that
// is more than most. It stops reading then.
func weight(raw []byte, most int) int {
	n, opened := 0, false
	for from, end := rawjson.Token(raw, 0); from < end && n <= most; from, end = rawjson.Token(raw, end) {
		c := raw[from]
		if opened && c != ']' && c != '}' {
			n++
		}
		opened = c == '[' || c == '{'
		switch c {
		case ']', '}':
		case ',', ':':
			n++
		case '[', '{', 't', 'f', 'n':
			n += 2
		case '"':
			if (end-from)/6 > most { // no escape is longer
				return most + 1
			}
			n += rawjson.Len(raw[from:end]) + 2
		default:
			n += end - from + 2
		}
	}
	return min(n, most+1)
}
