package canary

import (
	"crypto/sha256"
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
	"sync"
	"testing"
	"unicode"
)

// canaries are secrets, each by the place where it was put.
type canaries struct {
	mu sync.Mutex // guards of
	of map[string]string
}

// canary returns the secret of a place: always the same, and of characters that
// JSON, URLs and headers write differently, and the two alphabets of base64 (for
// those the third of three bytes must be a tilde).
func (c *canaries) canary(place string) string {
	sum := sha256.Sum256([]byte(place))
	value := base64.StdEncoding.EncodeToString(sum[:12]) + "/+~~~" + base64.StdEncoding.EncodeToString(sum[12:27]) + "="
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]string{}
	}
	c.of[place] = value
	return value
}

// places returns where the canaries were put.
func (c *canaries) places() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.of))
}

// window is how many bytes of a form are enough to find it: half a secret is
// a leak too.
const window = 12

// scanner finds canaries in text, in whatever form and encoding. It shares no
// code with the view.
type scanner struct {
	begins [1 << 16]bool     // by the first two bytes of a window
	places map[string]string // of each window: the place and the form
}

func newScanner(c *canaries) *scanner {
	s := &scanner{places: map[string]string{}}
	for _, place := range c.places() {
		secret := c.canary(place)
		s.look("plain "+place, secret)
		s.look("hex "+place, hex.EncodeToString([]byte(secret)))
		s.look("hex "+place, strings.ToUpper(hex.EncodeToString([]byte(secret))))
		for shift := range 3 {
			for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				whole := alphabet.EncodeToString([]byte(strings.Repeat("\x00", shift) + secret))
				s.look("base64 "+place, whole[shift+(shift+1)/2:len(whole)-1]) // the ends share bits with their neighbours
			}
		}
	}
	return s
}

// look makes s find what begins or ends as text does.
func (s *scanner) look(what, text string) {
	for _, w := range []string{text[:window], text[len(text)-window:]} {
		s.places[w] = what
		s.begins[int(w[0])<<8|int(w[1])] = true
	}
}

// find returns what is in text, and what stands around it.
func (s *scanner) find(text string) map[string]string {
	found := map[string]string{}
	for reading := range readings(text) {
		for i := 0; i+window <= len(reading); i++ {
			if !s.begins[int(reading[i])<<8|int(reading[i+1])] {
				continue
			}
			if what, ok := s.places[reading[i:i+window]]; ok && found[what] == "" {
				found[what] = reading[max(0, i-120):min(len(reading), i+60)]
			}
		}
	}
	return found
}

// none fails the test if there is a canary in what left. It shows some.
func (s *scanner) none(t *testing.T, where, text string) {
	t.Helper()
	found := s.find(text)
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

// readings yields a text as it stands and as often decoded as a text can be
// that has another inside, each also without white space and what is invisible.
func readings(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(text) || !yield(joined(text)) {
			return
		}
		for range 4 {
			for _, decode := range []func(string) string{unescaped, unpercented, html.UnescapeString} {
				plain := decode(text)
				if plain == text {
					continue
				}
				if text = plain; !yield(text) || !yield(joined(text)) {
					return
				}
			}
		}
	}
}

func unescaped(s string) string {
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

func unpercented(s string) string {
	return percent.ReplaceAllStringFunc(s, func(escape string) string {
		n, _ := strconv.ParseUint(escape[1:], 16, 8)
		return string([]byte{byte(n)})
	})
}

func joined(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Cf) {
			return -1
		}
		return r
	}, s)
}

// disguises are the forms in which a sloppy or hostile API may say a secret, and
// in which it must not leave.
func disguises() map[string]func(string) string {
	each := func(format string, every int) func(string) string {
		return func(s string) string {
			var out strings.Builder
			for i, c := range []byte(s) {
				if i%every == 0 {
					fmt.Fprintf(&out, format, c)
				} else {
					out.WriteByte(c)
				}
			}
			return out.String()
		}
	}
	all := map[string]func(string) string{
		"plain": func(s string) string { return s },
		"query": url.QueryEscape, "path": url.PathEscape,
		"query twice": func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"percent":     each("%%%02X", 1), "percent in lower case": each("%%%02x", 1), "percent here and there": each("%%%02x", 3), "percent twice": each("%%25%02x", 1),
		"hex":             func(s string) string { return hex.EncodeToString([]byte(s)) },
		"hex in capitals": func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"JSON escapes":    each(`\u%04x`, 1),
		"escaped slashes": func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
		"JSON in JSON":    each(`\\u%04x`, 2),
		"zero-width":      func(s string) string { return s[:9] + "\u200b" + s[9:20] + "\u2060" + s[20:] },
		"base64 in a URL": func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("k=" + s))) },
	}
	for shift := range 3 {
		around := func(s string) []byte { return []byte(strings.Repeat("x", shift) + s + "yz") }
		all[fmt.Sprint("base64 ", shift)] = func(s string) string { return base64.StdEncoding.EncodeToString(around(s)) }
		all[fmt.Sprint("base64 for URLs ", shift)] = func(s string) string { return base64.RawURLEncoding.EncodeToString(around(s)) }
	}
	return all
}

// approvalLink returns the link of a token.
func approvalLink(token string) string {
	return "https://api.test/v1/runs/approval?token=" + url.QueryEscape(token)
}

// TestScanner: what the test of the outlets rests on finds a secret in every
// disguise, inside JSON inside JSON too, and nothing where there is none.
func TestScanner(t *testing.T) {
	c := &canaries{}
	for i := range 20 { // of secrets that differ in which bytes are special
		c.canary(fmt.Sprint("place ", i))
	}
	s := newScanner(c)
	for _, place := range c.places() {
		for name, disguise := range disguises() {
			said := "so: " + disguise(c.canary(place)) + " it was"
			inside := strconv.Quote(strconv.Quote(said))
			for _, text := range []string{said, "{" + strconv.Quote(said) + ":1}", inside, url.QueryEscape(said), "a=1&amp;" + html.EscapeString(said)} {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(s.find(text))), func(what string) bool { return strings.HasSuffix(what, " "+place) }) {
					t.Errorf("%s of %q is not found in %s", name, place, text)
				}
			}
		}
		half := c.canary(place)
		for _, text := range []string{half[:len(half)/2], half[len(half)/2:]} {
			if len(s.find(text+"… [9 bytes left out]")) == 0 {
				t.Errorf("half of %q is not found", place)
			}
		}
	}
	other := (&canaries{}).canary("another place")
	for name, disguise := range disguises() {
		if found := s.find("so: " + disguise(other) + " it was"); len(found) > 0 {
			t.Errorf("%s of something else counts as %v", name, found)
		}
	}
}
