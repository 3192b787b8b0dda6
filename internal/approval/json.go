package approval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"runs-mcp-server/internal/rawjson"
)

const (
	// maxLevels is how many levels of a value are canonical in a digest. Deeper ones
	// count as they are written, for each level is read once more.
	maxLevels = 32
	// minShare is what a value gets at least, in bytes, if it is shown at all.
	minShare = 40
)

// compact returns a JSON value without the white space between its tokens, nil for
// none. Text that is not JSON becomes a JSON string.
func compact(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		text, _ := json.Marshal(string(raw)) // a string always can be
		return text
	}
	return out.Bytes()
}

// member is one item of an array, or one field of an object.
type member struct {
	name  string // of a field, as it is written in JSON
	value []byte
}

func (m member) size() int { return len(m.name) + len(m.value) }

// members returns what an array or an object holds, in order, duplicates included.
func members(value []byte) (all []member) {
	for item := range rawjson.Items(value) {
		all = append(all, member{value: item})
	}
	for name, item := range rawjson.Members(value) {
		all = append(all, member{string(name), item})
	}
	return all
}

// unquote returns the text of a JSON string.
func unquote(quoted []byte) string {
	var s string
	_ = json.Unmarshal(quoted, &s)
	return s
}

// showValue returns a compact JSON value on one line, in about limit bytes. Small
// fields come before large ones.
func (w *writer) showValue(v []byte, level, limit int) string {
	switch {
	case v[0] == '"':
		return w.quote(unquote(v), limit)
	case v[0] != '{' && v[0] != '[':
		return w.showNumber(v, limit)
	case level == maxLevels/2:
		w.cut = true
		return fmt.Sprintf("[%d bytes cut: too deep]", len(v))
	}
	all := members(v)
	isObject := v[0] == '{'
	separator := ", "
	if isObject {
		separator = ","
		slices.SortStableFunc(all, func(a, b member) int { return a.size() - b.size() })
	}
	var b strings.Builder
	b.WriteByte(v[0])
	for i, m := range all {
		left := limit - b.Len()
		if left <= 0 {
			b.WriteString(w.cutMembers(all[i:]))
			break
		}
		if i > 0 {
			b.WriteString(separator)
		}
		share, start := max(left/(len(all)-i), minShare), b.Len()
		if isObject {
			b.WriteString(w.quote(unquote([]byte(m.name)), share) + ":")
		}
		b.WriteString(w.showValue(m.value, level+1, max(share-(b.Len()-start), minShare)))
	}
	b.WriteByte(v[len(v)-1]) // the closing bracket
	return b.String()
}

// cutMembers says how much is left out of an array or object.
func (w *writer) cutMembers(left []member) string {
	w.cut = true
	bytes := 0
	for _, m := range left {
		bytes += m.size()
	}
	return fmt.Sprintf(" [%d more, %d bytes cut]", len(left), bytes)
}

// showNumber returns a number, or true, false or null, as it is written.
func (w *writer) showNumber(v []byte, limit int) string {
	s, n := w.secrets.Text(string(v))
	w.hidden += n
	if len(s) <= limit+minShare {
		return s
	}
	w.cut = true
	return fmt.Sprintf("%s [%d digits cut]", s[:limit], len(s)-limit)
}
