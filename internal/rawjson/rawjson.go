// Package rawjson reads and writes JSON text. Its readers walk the text without
// decoding it: a value that is passed over costs no memory. The text must have
// been checked by encoding/json, which also bounds its depth. Of other text the
// answers mean nothing, but no function panics or runs forever.
package rawjson

import (
	"bytes"
	"iter"
	"strings"
)

// Items yields the items of an array as they are written. Another value has none.
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

// Members yields the names, in their quotes, and the values of an object as they
// are written, duplicates included. Another value has none.
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

// Name returns which of some names a member has, "" for none of them. Like
// encoding/json it takes capitals for small letters.
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

// Token returns where the first token at or behind i begins and ends: a string, a
// number, a word or one of []{},: . Behind the last one it is empty.
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
	return from, max(End(text, from), from+1)
}

// inside returns where the first item of a container begins.
func inside(value []byte, opening byte) (at int, ok bool) {
	i := space(value, 0)
	if i == len(value) || value[i] != opening {
		return 0, false
	}
	return space(value, i+1), true
}

// next returns where the item behind the one that ends at i begins, or where
// its container ends.
func next(text []byte, i int) int {
	if i = space(text, i); i < len(text) && text[i] == ',' {
		i = space(text, i+1)
	}
	return i
}

// space returns where the white space that begins at i ends.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// End returns where the value that begins at i ends.
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
			if depth < 0 { // the end of what holds a number or a word
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

// stringEnd returns where the string that begins at i ends.
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
