package approval

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/internal/rawjson"
)

// maxLevels is how many levels of a value are read. What is deeper is taken as it
// is written: each level reads the rest once more.
const maxLevels = 32

// compact returns a JSON value without the white space between its parts, nil
// for none. What is no JSON becomes a string.
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
	name  string // as it is written, "" in an array
	value []byte
}

func (m member) size() int { return len(m.name) + len(m.value) }

// members returns what an array or object holds, in order, duplicates included.
func members(value []byte) (all []member) {
	for item := range rawjson.Items(value) {
		all = append(all, member{value: item})
	}
	for name, item := range rawjson.Members(value) {
		all = append(all, member{string(name), item})
	}
	return all
}

// canonical appends a compact value to out so that values which mean the same are
// the same: fields by their names, strings in one spelling. Numbers stay as they
// are written, and duplicate fields in their order.
func canonical(out, value []byte, level int) []byte {
	if len(value) == 0 || level == maxLevels {
		return append(out, value...)
	}
	switch value[0] {
	case '"':
		return strconv.AppendQuote(out, canonicalString(value))
	case '[':
		out = append(out, '[')
		for _, m := range members(value) {
			out = append(canonical(out, m.value, level+1), ',')
		}
		return append(out, ']')
	case '{':
		all := members(value)
		for i := range all {
			all[i].name = canonicalString([]byte(all[i].name))
		}
		slices.SortStableFunc(all, func(a, b member) int { return cmp.Compare(a.name, b.name) })
		out = append(out, '{')
		for _, m := range all {
			out = append(strconv.AppendQuote(out, m.name), ':')
			out = append(canonical(out, m.value, level+1), ',')
		}
		return append(out, '}')
	}
	return append(out, value...)
}

// canonicalString returns what a JSON string says. One that no UTF-8 can say (half
// of a surrogate pair) is as it is written, behind a mark, so that two of them
// stay two.
func canonicalString(quoted []byte) string {
	s := unquote(quoted)
	if strings.ContainsRune(s, utf8.RuneError) {
		return string(utf8.RuneError) + string(quoted)
	}
	return s
}

func unquote(quoted []byte) string {
	var s string
	_ = json.Unmarshal(quoted, &s)
	return s
}
