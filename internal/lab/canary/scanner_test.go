package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// window is the number of bytes at the beginning or end of an encoded secret that
// count as a leak: half a secret is a leak too.
const window = 12

// scanner finds canaries in text, in every encoding. It shares no code with the
// packages that redact.
type scanner struct {
	prefixes [1 << 16]bool     // whether a pattern begins with these two bytes
	patterns map[string]string // by window: the encoding and the location
}

func newScanner(c *canarySet) *scanner {
	s := &scanner{patterns: map[string]string{}}
	s.addPattern("approval link", "roval?token=") // the address before it may be left where a text was cut
	for _, location := range c.locations() {
		secret := c.canaryFor(location)
		s.addPattern("plain "+location, secret)
		s.addPattern("hex "+location, hex.EncodeToString([]byte(secret)))
		s.addPattern("hex "+location, strings.ToUpper(hex.EncodeToString([]byte(secret))))
		for shift := range 3 {
			for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				whole := alphabet.EncodeToString([]byte(strings.Repeat("\x00", shift) + secret))
				s.addPattern("base64 "+location, whole[shift+(shift+1)/2:len(whole)-1]) // the ends share bits with their neighbours
			}
		}
	}
	return s
}

// addPattern makes s find the first and the last bytes of text.
func (s *scanner) addPattern(what, text string) {
	for _, w := range []string{text[:window], text[len(text)-window:]} {
		s.patterns[w] = what
		s.prefixes[int(w[0])<<8|int(w[1])] = true
	}
}

// scan returns what it finds in text, each with the text around it.
func (s *scanner) scan(text string) map[string]string {
	found := map[string]string{}
	for decoded := range decodings(text) {
		for i := 0; i+window <= len(decoded); i++ {
			if !s.prefixes[int(decoded[i])<<8|int(decoded[i+1])] {
				continue
			}
			if what, ok := s.patterns[decoded[i:i+window]]; ok && found[what] == "" {
				found[what] = decoded[max(0, i-120):min(len(decoded), i+60)]
			}
		}
	}
	return found
}

// requireNone fails the test if text holds a canary. It shows ten at most.
func (s *scanner) requireNone(t *testing.T, where, text string) {
	t.Helper()
	found := s.scan(text)
	for i, what := range slices.Sorted(maps.Keys(found)) {
		if i == 10 {
			t.Errorf("and %d more are in %s", len(found)-i, where)
			return
		}
		t.Errorf("%s is in %s: …%q…", what, where, found[what])
	}
}

var (
	backslash = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)`)
	percent   = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
)

// decodings yields a text as it is and after each of several rounds of decoding,
// because a text may hold another encoded text. Each is also yielded without white
// space and invisible characters.
func decodings(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(text) || !yield(withoutSpaces(text)) {
			return
		}
		for range 4 {
			for _, decode := range []func(string) string{decodeEscapes, decodePercent, html.UnescapeString} {
				plain := decode(text)
				if plain == text {
					continue
				}
				if text = plain; !yield(text) || !yield(withoutSpaces(text)) {
					return
				}
			}
		}
	}
}

func decodeEscapes(s string) string {
	return backslash.ReplaceAllStringFunc(s, func(escape string) string {
		switch escape[1] {
		case 'u', 'x':
			if n, err := strconv.ParseUint(escape[2:], 16, 32); err == nil {
				return string(rune(n))
			}
		case 'n', 't', 'r':
			return " "
		}
		return escape[1:]
	})
}

func decodePercent(s string) string {
	return percent.ReplaceAllStringFunc(s, func(escape string) string {
		n, _ := strconv.ParseUint(escape[1:], 16, 8)
		return string([]byte{byte(n)})
	})
}

func withoutSpaces(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Cf) {
			return -1
		}
		return r
	}, s)
}

// TestScanner holds that the scanner finds a secret in every encoding, also inside
// JSON inside JSON, and finds nothing where there is none.
func TestScanner(t *testing.T) {
	c := &canarySet{}
	for i := range 20 { // many, since the special characters of each secret differ
		c.canaryFor(fmt.Sprint("location ", i))
	}
	s := newScanner(c)
	for _, location := range c.locations() {
		for name, encode := range encodings() {
			sent := "so: " + encode(c.canaryFor(location)) + " it was"
			inside := strconv.Quote(strconv.Quote(sent))
			for _, text := range []string{sent, "{" + strconv.Quote(sent) + ":1}", inside, url.QueryEscape(sent), "a=1&amp;" + html.EscapeString(sent)} {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(s.scan(text))), func(what string) bool { return strings.HasSuffix(what, " "+location) }) {
					t.Errorf("%s of %q is not found in %s", name, location, text)
				}
			}
		}
		half := c.canaryFor(location)
		for _, text := range []string{half[:len(half)/2], half[len(half)/2:]} {
			if len(s.scan(text+"… [9 bytes left out]")) == 0 {
				t.Errorf("half of %q is not found", location)
			}
		}
	}
	other := (&canarySet{}).canaryFor("another location")
	for name, encode := range encodings() {
		if found := s.scan("so: " + encode(other) + " it was"); len(found) > 0 {
			t.Errorf("%s of something else counts as %v", name, found)
		}
	}
}
