package rawjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// pieceSize is how much of a long string with escapes is decoded at a time:
// encoding/json needs twice the memory of what it decodes.
const pieceSize = 32 << 10

// String returns what a string says; false for another value.
func String(quoted []byte) (string, bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", false
	}
	text := quoted[1 : len(quoted)-1]
	if isPlain(text) {
		return string(text), true
	}
	var out strings.Builder
	out.Grow(length(text))
	for len(text) > 0 {
		end := border(text, pieceSize)
		out.WriteString(decode(text[:end]))
		text = text[end:]
	}
	return out.String(), true
}

// Prefix returns what the first bytes of a string say, about most as they are
// written, and how many bytes the rest says.
func Prefix(quoted []byte, most int) (head string, left int) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", 0
	}
	end := 1 + border(quoted[1:len(quoted)-1], most)
	if head = string(quoted[1:end]); !isPlain(quoted[1:end]) {
		head = decode(quoted[1:end])
	}
	return head, length(quoted[end : len(quoted)-1])
}

// Len returns how many bytes a string says.
func Len(quoted []byte) int {
	if len(quoted) < 2 {
		return 0
	}
	return length(quoted[1 : len(quoted)-1])
}

// isPlain reports whether a text says itself: it has no escapes and no byte that
// is not UTF-8.
func isPlain(text []byte) bool { return bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) }

// decode returns what the text of a string says.
func decode(text []byte) (said string) {
	quoted := make([]byte, 0, len(text)+2)
	quoted = append(append(append(quoted, '"'), text...), '"')
	_ = json.Unmarshal(quoted, &said) // it was checked
	return said
}

// border returns where the first character or escape at or after most begins.
func border(text []byte, most int) int {
	i := 0
	for i < len(text) && i < most {
		_, width := character(text[i:])
		i += width
	}
	return min(i, len(text))
}

// length returns how many bytes a text says.
func length(text []byte) (n int) {
	for i := 0; i < len(text); {
		said, width := character(text[i:])
		n, i = n+said, i+width
	}
	return n
}

// character returns how many bytes the first character of a text says, and how
// many it is written in. An invalid byte and half a surrogate pair say U+FFFD.
func character(text []byte) (said, width int) {
	switch c := text[0]; {
	case c == '\\' && len(text) > 1 && text[1] == 'u':
		first := unit(text)
		if r := utf16.DecodeRune(first, unit(text[min(6, len(text)):])); r != utf8.RuneError {
			return utf8.RuneLen(r), 12
		}
		if utf16.IsSurrogate(first) {
			first = utf8.RuneError
		}
		return utf8.RuneLen(first), 6
	case c == '\\':
		return 1, 2
	case c < utf8.RuneSelf:
		return 1, 1
	}
	r, width := utf8.DecodeRune(text)
	return utf8.RuneLen(r), width
}

// unit returns the number of a \u escape at the beginning of a text, U+FFFD where
// there is none.
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
