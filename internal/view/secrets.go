package view

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const (
	// minSecret is the shortest secret that is looked for, in bytes.
	minSecret = 4
	// minLearned and maxLearned bound a secret from outside, in bytes.
	minLearned = 8
	maxLearned = 4 << 10
	// minBroken is the shortest form that is known with white space in it, in
	// bytes: neighbouring words may make a shorter one by chance.
	minBroken = 16
	// maxLearnedBytes bounds what one source keeps known: its forms take about
	// ten times as much memory.
	maxLearnedBytes = 1 << 20
)

// source is where a secret comes from. Each source but the first is bounded
// on its own, so that what is easy to say cannot push out what matters.
type source int

const (
	hidden source = iota // the operator's, kept for good
	keys                 // callers' keys, once the API accepted them
	tokens               // tokens of links that stand where the API puts them
	given                // what calls bring: anybody's words, in the end
	found                // tokens of links in what a run says: it can make up any number
	sources

	// trusted is the last source in which nobody but the operator and the API
	// has a word.
	trusted = tokens
)

// maxKept is how many secrets each source from outside keeps known.
const maxKept = 4096

// secretSet finds known secrets in text. The zero value is empty.
type secretSet struct {
	mu    sync.RWMutex // guards all below
	known map[string]source
	// order holds the secrets of each bounded source as they came; sizes their bytes.
	order [sources][]string
	sizes [sources]int
	index index
	// longest is the length of the longest form there ever was.
	longest int
}

// add makes a secret known. Secrets from outside make room for newer ones; one
// that a better source names too is kept as long as that source keeps it.
func (s *secretSet) add(secret string, from source) {
	if len(secret) < minSecret || from != hidden && (len(secret) < minLearned || len(secret) > maxLearned) {
		return
	}
	s.mu.RLock()
	old, known := s.known[secret]
	s.mu.RUnlock()
	if known && old <= from && from != keys {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, known = s.known[secret]; known && old == from {
		s.refresh(secret)
		return
	} else if known && old < from {
		return
	}
	if known {
		s.forget(secret)
	}
	if s.known == nil {
		s.known = map[string]source{}
	}
	s.known[secret] = from
	for _, text := range formsOf(secret) {
		s.index.add(form{text: text, secret: secret}, from == found)
		s.longest = max(s.longest, len(text))
	}
	if from == hidden {
		return
	}
	s.order[from] = append(s.order[from], secret)
	s.sizes[from] += len(secret)
	for len(s.order[from]) > maxKept || s.sizes[from] > maxLearnedBytes {
		s.forget(s.order[from][0])
	}
}

// refresh makes a secret the newest of its source. The caller holds the lock.
func (s *secretSet) refresh(secret string) {
	if order := s.order[s.known[secret]]; len(order) > 0 && order[len(order)-1] != secret {
		at := slices.Index(order, secret)
		s.order[s.known[secret]] = append(slices.Delete(order, at, at+1), secret)
	}
}

// forget drops a secret of a bounded source. The caller holds the lock.
func (s *secretSet) forget(secret string) {
	from := s.known[secret]
	delete(s.known, secret)
	at := slices.Index(s.order[from], secret)
	s.order[from] = slices.Delete(s.order[from], at, at+1)
	s.sizes[from] -= len(secret)
	for _, text := range formsOf(secret) {
		s.index.remove(form{text: text, secret: secret})
	}
}

// tail is how many bytes before a cut may be a part of one secret, in a known
// form or, up to 4 KiB, in one that must be decoded first.
func (s *secretSet) tail() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return max(4<<10, s.longest)
}

// find cuts every form of every known secret that is to be left out of a text,
// also those that are broken by white space.
func (s *secretSet) find(h *holes, hides func(secret string) bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.known) == 0 {
		return
	}
	s.index.search(h.text, 0, func(f form, from, to int) bool {
		if hides(f.secret) {
			h.cut(from, to, removed)
		}
		return true
	})
	if !strings.ContainsFunc(h.text, unicode.IsSpace) {
		return
	}
	whole, at := joined(h.text)
	s.index.search(whole, 0, func(f form, from, to int) bool {
		if to-from >= minBroken && hides(f.secret) {
			h.cut(at[from], at[to-1]+1, removed)
		}
		return true
	})
}

// joined returns text without its white space, and where in it each byte stood.
func joined(text string) (whole string, at []int) {
	out := make([]byte, 0, len(text))
	at = make([]int, 0, len(text))
	for from, word := range words(text) {
		out = append(out, word...)
		for i := range len(word) {
			at = append(at, from+i)
		}
	}
	return string(out), at
}

// words yields what white space stands around, and where.
func words(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		from := 0
		for word := range strings.FieldsSeq(text) {
			from += strings.Index(text[from:], word)
			if !yield(from, word) {
				return
			}
			from += len(word)
		}
	}
}

// maxEaten is how many bytes of a secret's beginning a decoder may take for
// the end of an escape that was never closed: "%4" before "Cab" makes "Lab".
const maxEaten = 8

// in reports whether decoded text holds a known secret that is to be left out.
func (s *secretSet) in(text string, hides func(secret string) bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	holds := false
	s.index.search(text, maxEaten, func(f form, _, _ int) bool {
		holds = hides(f.secret)
		return !holds
	})
	return holds
}

// formsOf returns the texts a secret may appear as: itself, with and without
// its white space, the inside of its JSON, URL and hex forms, the part of its
// base64 forms that does not depend on what stands around it, and each long
// line of one with several lines.
func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret)
	forms := []string{
		secret, string(quoted[1 : len(quoted)-1]), strings.Join(strings.Fields(secret), ""),
		url.QueryEscape(secret), url.PathEscape(secret),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		// The first and last characters share bits with their neighbours.
		from, to := (shift*8+5)/6, len(padded)*8/6
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if e := enc.EncodeToString(padded); from < to {
				forms = append(forms, e[from:to])
			}
		}
	}
	if strings.Contains(secret, "\n") {
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= 16 {
				forms = append(forms, line)
			}
		}
	}
	forms = slices.DeleteFunc(forms, func(f string) bool { return len(f) < minSecret })
	slices.Sort(forms)
	return slices.Compact(forms)
}
