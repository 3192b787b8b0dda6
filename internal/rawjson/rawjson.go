// Package rawjson reads and writes JSON text. Its readers walk the text without
// decoding it, so values that are skipped cost no memory. The text must be valid,
// as checked by encoding/json, which also bounds its depth. For other text the
// results mean nothing, but no function panics or runs forever.
package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ReadText fills a text from a JSON string. A value of another type leaves it as it
// is, because the API may change what we do not need.
func ReadText[S ~string](to *S, value []byte) {
	if text, ok := String(value); ok {
		*to = S(text)
	}
}

// ReadObject fills an object from its JSON value. null makes it nil; a value of
// another type leaves it empty.
func ReadObject[T any](to **T, value []byte, read func(*T, []byte)) {
	switch {
	case IsNull(value):
		*to = nil
		return
	case *to == nil:
		*to = new(T)
	}
	read(*to, value)
}

// ReadList fills a list from the first items of a JSON array, at most so many, and
// returns how many follow. null makes the list nil.
func ReadList[T any](to *[]T, value []byte, most int, read func(*T, []byte)) (more int) {
	switch {
	case IsNull(value):
		*to = nil
		return 0
	case !IsArray(value):
		return 0
	}
	list := []T{}
	for item := range Items(value) {
		if len(list) == most {
			more++
			continue
		}
		var one T
		read(&one, item)
		list = append(list, one)
	}
	*to = list
	return more
}

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

// IsArray reports whether a value is an array.
func IsArray(value []byte) bool { return bytes.HasPrefix(value, []byte("[")) }

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

// String decodes a quoted string. It reports false for another value.
func String(quoted []byte) (string, bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", false
	}
	return decode(quoted[1 : len(quoted)-1]), true
}

// Prefix decodes the beginning of a quoted string, of about most raw bytes, and
// returns how many decoded bytes follow.
func Prefix(quoted []byte, most int) (head string, left int) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", 0
	}
	text, end := quoted[1:len(quoted)-1], 0
	for end < min(most, len(text)) {
		_, width := character(text[end:])
		end += width
	}
	return decode(text[:end]), length(text[end:])
}

// Len returns the length of a quoted string in decoded bytes.
func Len(quoted []byte) int {
	if len(quoted) < 2 {
		return 0
	}
	return length(quoted[1 : len(quoted)-1])
}

// decode decodes the text of a string.
func decode(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return string(text)
	}
	var out strings.Builder
	out.Grow(length(text))
	for len(text) > 0 {
		plain := 0
		for plain < len(text) && text[plain] != '\\' && text[plain] < utf8.RuneSelf {
			plain++
		}
		out.Write(text[:plain])
		if text = text[plain:]; len(text) > 0 {
			r, width := character(text)
			out.WriteRune(r)
			text = text[width:]
		}
	}
	return out.String()
}

// length returns the length of a text in decoded bytes.
func length(text []byte) (n int) {
	for i := 0; i < len(text); {
		if c := text[i]; c != '\\' && c < utf8.RuneSelf {
			n, i = n+1, i+1
			continue
		}
		r, width := character(text[i:])
		n, i = n+utf8.RuneLen(r), i+width
	}
	return n
}

// short maps the letters of the short escapes to their characters.
var short = [256]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// character decodes the first character of a text and returns its raw width in
// bytes. An invalid byte and half a surrogate pair are U+FFFD.
func character(text []byte) (r rune, width int) {
	switch c := text[0]; {
	case c != '\\':
		return utf8.DecodeRune(text)
	case len(text) > 1 && text[1] != 'u':
		return short[text[1]], 2
	case len(text) < 6:
		return utf8.RuneError, len(text)
	}
	first := unit(text)
	if r := utf16.DecodeRune(first, unit(text[6:])); r != utf8.RuneError {
		return r, 12
	}
	if utf16.IsSurrogate(first) {
		first = utf8.RuneError
	}
	return first, 6
}

// unit returns the number of the \u escape that begins a text, U+FFFD for none.
func unit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// Marshal returns a value as compact JSON on one line. Unlike [json.Marshal] it
// does not escape <, > and &: none of our JSON is put into HTML, and the escapes
// take six bytes each.
func Marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
