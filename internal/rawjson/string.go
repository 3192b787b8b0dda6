package rawjson

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

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
