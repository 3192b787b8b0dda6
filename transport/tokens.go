package transport

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The methods of scanner for single tokens (RFC 8259). They stop where the token
// ends, and return false at a syntax error.

// text scans a string.
func (s *scanner) text() bool {
	if !s.take('"') {
		return false
	}
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return true
		case c < ' ':
			return false
		case c == '\\':
			if !s.escape() {
				return false
			}
		default:
			s.pos++
		}
	}
	return false
}

// escape scans a backslash and what belongs to it.
func (s *scanner) escape() bool {
	s.pos++
	c := s.peek()
	if strings.IndexByte(`"\/bfnrtu`, c) < 0 {
		return false
	}
	s.pos++
	if c != 'u' {
		return true
	}
	for range 4 {
		if h := s.peek() | 0x20; !digit(s.peek()) && (h < 'a' || h > 'f') {
			return false
		}
		s.pos++
	}
	return true
}

// number scans a number.
func (s *scanner) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		_ = s.take('+') || s.take('-')
		return s.digits()
	}
	return true
}

// digits scans one digit or more.
func (s *scanner) digits() bool {
	start := s.pos
	for digit(s.peek()) {
		s.pos++
	}
	return s.pos > start
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// word scans a literal.
func (s *scanner) word(w string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return false
	}
	s.pos += len(w)
	return true
}

// space passes over white space.
func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end (a byte no JSON token begins with).
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// take passes over the next byte if it is c.
func (s *scanner) take(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// unquote is the value of a string token, read as encoding/json reads it, so
// that two spellings of one key are seen to be one.
func unquote(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return inner // not reached: the token was scanned
	}
	return []byte(s)
}
