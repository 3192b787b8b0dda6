// Package rawjson reads and writes JSON text. Its readers walk the text without
// decoding it, so values that are skipped cost no memory. The text must be valid,
// as checked by encoding/json, which also bounds its depth. For other text the
// results mean nothing, but no function panics or runs forever.
package rawjson

import (
	"bytes"
	"iter"
	"strings"
)

// Items yields the raw items of an array. Another value has none.
func Items(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i, ok := inside(array, '[')
		for ok && i < len(array) && array[i] != ']' {
			end := End(array, i)
			if end == i || !yield(array[i:end:end]) {
				return
			}
			i = next(array, end)
		}
	}
}

// Members yields the quoted names and the raw values of an object, duplicates
// included. Another value has none.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i, ok := inside(object, '{')
		for ok && i < len(object) && object[i] == '"' {
			colon := stringEnd(object, i)
			name := object[i:colon:colon]
			if i = space(object, colon); i == len(object) || object[i] != ':' {
				return
			}
			i = space(object, i+1)
			end := End(object, i)
			if end == i || !yield(name, object[i:end:end]) {
				return
			}
			i = next(object, end)
		}
	}
}

// Count returns how many items an array or members an object has.
func Count(value []byte) (n int) {
	for range Items(value) {
		n++
	}
	for range Members(value) {
		n++
	}
	return n
}

// IsNull reports whether a value is null.
func IsNull(value []byte) bool { return string(value) == "null" }

// Name returns which of the known names a member has, "" for none. Like
// encoding/json it ignores case.
func Name(quoted []byte, known []string) string {
	if len(quoted) < 2 {
		return ""
	}
	name := quoted[1 : len(quoted)-1]
	for _, k := range known {
		if string(name) == k {
			return k
		}
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		text, _ := String(quoted)
		name = []byte(text)
	}
	for _, k := range known {
		// The widest letter that folds to an ASCII one takes three bytes.
		if len(name) >= len(k) && len(name) <= 3*len(k) && strings.EqualFold(string(name), k) {
			return k
		}
	}
	return ""
}

// Token returns the bounds of the first token at or after i: a string, a number, a
// word or one of []{},: . After the last one it is empty.
func Token(text []byte, i int) (from, end int) {
	if from = space(text, i); from == len(text) {
		return from, from
	}
	switch text[from] {
	case '"':
		return from, stringEnd(text, from)
	case '[', ']', '{', '}', ',', ':':
		return from, from + 1
	}
	return from, End(text, from)
}

// inside returns the index of the first item of a container.
func inside(value []byte, opening byte) (at int, ok bool) {
	i := space(value, 0)
	if i == len(value) || value[i] != opening {
		return 0, false
	}
	return space(value, i+1), true
}

// next returns the index of the item after the one that ends at i, or the end of
// the container.
func next(text []byte, i int) int {
	if i = space(text, i); i < len(text) && text[i] == ',' {
		i = space(text, i+1)
	}
	return i
}

// space returns the end of the white space that begins at i.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// End returns the end of the value that begins at i.
func End(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			if i = stringEnd(text, i) - 1; depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 { // the end of the container of a number or a word
				return i
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// stringEnd returns the end of the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}
