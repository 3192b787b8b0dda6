package redact

import (
	"cmp"
	"slices"
	"strings"
)

// span is a part of a text that is taken out, in bytes.
type span struct{ from, to int }

// finder searches one text for secrets.
type finder struct {
	index *automaton
	spans []span // of secrets
	// partial is where the last part of the text starts that may be the first part of
	// a secret; the length of the text for none.
	partial int
	from    []int32 // positions of a decoded text in the original, see [decoded]; nil for the original
}

// find searches visible text, as it is and decoded.
func (s *Set) find(text string) *finder {
	f := &finder{index: &s.index, partial: len(text)}
	if len(s.index.char) == 0 {
		return f
	}
	f.search(text)
	if d := decode(text); d.from != nil {
		f.from = d.from
		f.search(d.text)
		if d.open > 0 { // a secret may continue with what the unfinished escape stands for
			f.search(d.text[:len(d.text)-d.open])
		}
	}
	return f
}

// search searches for the secrets as they are, in base64 and in hex.
func (f *finder) search(text string) {
	node := int32(0)
	for i := range len(text) {
		if c := fold(text[i]); node != 0 {
			node = f.index.step(node, c)
		} else if node = f.index.root[c]; node == 0 {
			continue
		}
		if n := f.index.match[node]; n > 0 {
			f.addSpan(i+1-int(n), i+1)
		}
	}
	f.notePartial(node, 8, 8*len(text))
	f.searchPacked(text, 6, &base64Chars)
	f.searchPacked(text, 4, &hexDigits)
}

// searchPacked searches for the secrets in runs of characters that hold some bits each:
// 6 in base64, 4 in hex.
func (f *finder) searchPacked(text string, bits int, values *[256]byte) {
	shortest := (8*minSecret + bits - 1) / bits
	for from := 0; from < len(text); {
		// A run that starts here is long enough only if it includes this character, or
		// reaches the end of the text.
		if probe := min(from+shortest, len(text)) - 1; values[text[probe]] == noValue {
			from = probe + 1
			continue
		}
		to := from
		for to < len(text) && values[text[to]] != noValue {
			to++
		}
		if to-from >= shortest || to == len(text) {
			f.searchRun(text[:to], from, bits, values, to == len(text))
		}
		from = to + 1
	}
}

// searchRun searches one run, which starts at from and ends with text. The secret's bytes
// may start at any bit, so it searches at each of the 8 alignments at once. last says
// that the run ends the whole text.
func (f *finder) searchRun(text string, from, bits int, values *[256]byte, last bool) {
	var nodes [8]int32 // by the bit, modulo 8, at which a byte ends
	window := 0        // the last bits of the run
	for i := from; i < len(text); i++ {
		window = window<<bits | int(values[text[i]])
		for spare := 0; spare < bits; spare += 8 - bits {
			end := (i+1)*bits - spare
			if end-8 < from*bits {
				continue
			}
			node := f.index.step(nodes[end&7], fold(byte(window>>spare)))
			nodes[end&7] = node
			if n := int(f.index.match[node]); n > 0 {
				f.addSpan((end-8*n)/bits, i+1)
			}
		}
	}
	if last {
		for at, node := range nodes {
			end := len(text) * bits
			f.notePartial(node, bits, end-(end-at)&7)
		}
	}
}

// notePartial notes that the text ends with the first part of a secret, as node says. Its
// last byte ends at the bit end; each character has so many bits. A whole secret that is
// not the beginning of a longer one does not count.
func (f *finder) notePartial(node int32, bits, end int) {
	if f.index.first[node] == f.index.first[node+1] || node == 0 {
		return
	}
	at := (end - 8*f.index.depth(node)) / bits
	if f.from != nil {
		at = int(f.from[at])
	}
	f.partial = min(f.partial, at)
}

// addSpan adds a secret's span. It extends the last span if the two touch, because a
// secret may end at every byte of a text.
func (f *finder) addSpan(from, to int) {
	if f.from != nil {
		from, to = int(f.from[from]), int(f.from[to])
	}
	if n := len(f.spans); n > 0 && from <= f.spans[n-1].to && to >= f.spans[n-1].from {
		last := &f.spans[n-1]
		last.from, last.to = min(last.from, from), max(last.to, to)
		return
	}
	f.spans = append(f.spans, span{from, to})
}

// replaceSpans replaces each span by a mark, and spans that touch by one. It returns the
// number of marks.
func replaceSpans(text string, spans []span) (out string, marks int) {
	if len(spans) == 0 {
		return text, 0
	}
	var b strings.Builder
	done := 0 // text[:done] is written or left out
	for i, s := range byStart(spans) {
		if i == 0 || s.from > done {
			b.WriteString(text[done:s.from])
			b.WriteString(Removed)
			marks++
		}
		done = max(done, s.to)
	}
	b.WriteString(text[done:])
	return b.String(), marks
}

// byStart sorts spans in place.
func byStart(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	return spans
}
