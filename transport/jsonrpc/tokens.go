package jsonrpc

import (
	"bytes"
	"encoding/json"
	"strings"

	"runs-mcp-server/internal/rawjson"
)

// nextToken moves to the next token (RFC 8259). Behind the last one, and where
// there is none that is valid, the current token becomes empty.
func (s *scanner) nextToken() {
	s.from = spaceEnd(s.data, s.to)
	s.to, s.first = s.from, 0
	if s.from == len(s.data) {
		return
	}
	first := s.data[s.from]
	switch first {
	case '{', '}', '[', ']', ',', ':':
		s.to = s.from + 1
	case '"':
		s.to = stringEnd(s.data, s.from)
	default:
		if end := rawjson.End(s.data, s.from); isLiteral(s.data[s.from:end]) {
			s.to = end
		}
	}
	if s.to > s.from {
		s.first = first
	}
}

// spaceEnd returns where the white space that begins at i ends.
func spaceEnd(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns where the string that begins at start ends; start if it is
// not valid.
func stringEnd(data []byte, start int) int {
	for i := start + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return start
		case c == '\\':
			n := escapeLength(data[i:])
			if n == 0 {
				return start
			}
			i += n - 1
		}
	}
	return start
}

// isLiteral reports whether a token that is no string is a number or a word.
// Most are quick to tell: json.Valid takes ten times as long.
func isLiteral(token []byte) bool {
	switch string(token) {
	case "true", "false", "null":
		return true
	}
	isWhole := len(token) > 0 && token[0] != '0' && len(bytes.TrimLeft(token, "0123456789")) == 0
	return isWhole || json.Valid(token)
}

// escapeLength returns how many bytes the escape at the beginning of a text has;
// 0 if it is not valid.
func escapeLength(text []byte) int {
	switch {
	case len(text) < 2 || strings.IndexByte(`"\/bfnrtu`, text[1]) < 0:
		return 0
	case text[1] != 'u':
		return 2
	case len(text) < 6:
		return 0
	}
	for _, c := range text[2:6] {
		if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
			return 0
		}
	}
	return 6
}

// unquote returns what a string says, as encoding/json reads it, so that two
// spellings of one key are found to be one key.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := rawjson.String(quoted)
	return []byte(text)
}
