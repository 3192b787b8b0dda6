package redact

import (
	"cmp"
	"slices"
	"strings"
)

// hole is a part of a text that is taken out.
type hole struct{ from, to int }

// finder searches one text for secrets.
type finder struct {
	index *automaton
	holes []hole
	// partial is where the text ends in what may be the first part of a secret.
	partial int
	from    []int32 // see decoded; nil for the text as it stands
}

// find searches visible text as it stands and decoded.
func (s *Set) find(text string) *finder {
	f := &finder{index: &s.index, partial: len(text)}
	if len(s.index.char) == 0 {
		return f
	}
	f.search(text)
	if d := decode(text); d.from != nil {
		f.from = d.from
		f.search(d.text)
		if d.open > 0 {
			f.search(d.text[:len(d.text)-d.open])
		}
	}
	return f
}

// search looks for the secrets as they are, in base64 and in hex.
func (f *finder) search(text string) {
	node := int32(0)
	for i := range len(text) {
		if c := fold(text[i]); node != 0 {
			node = f.index.step(node, c)
		} else if node = f.index.root[c]; node == 0 {
			continue
		}
		if n := f.index.found[node]; n > 0 {
			f.hide(i+1-int(n), i+1)
		}
	}
	f.endIn(node, 8, 8*len(text))
	f.searchPacked(text, 6, &base64Chars)
	f.searchPacked(text, 4, &hexDigits)
}

// searchPacked looks for the secrets in text where each character holds some
// bits of them. A byte may end at any of them.
func (f *finder) searchPacked(text string, bits int, values *[256]byte) {
	shortest := (8*minSecret + bits - 1) / bits
	for from := 0; from < len(text); {
		// A run that is long enough, or goes on to the end, holds this one.
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

// searchRun does it for one run of such characters.
func (f *finder) searchRun(text string, from, bits int, values *[256]byte, last bool) {
	var nodes [8]int32 // by where a byte ends, in bits
	window := 0
	for i := from; i < len(text); i++ {
		window = window<<bits | int(values[text[i]])
		for spare := 0; spare < bits; spare += 8 - bits {
			end := (i+1)*bits - spare
			if end-8 < from*bits {
				continue
			}
			node := f.index.step(nodes[end&7], fold(byte(window>>spare)))
			nodes[end&7] = node
			if n := int(f.index.found[node]); n > 0 {
				f.hide((end-8*n)/bits, i+1)
			}
		}
	}
	if last {
		for at, node := range nodes {
			end := len(text) * bits
			f.endIn(node, bits, end-(end-at)&7)
		}
	}
}

// endIn notes that the text ends in the first part of a secret, whose last byte
// ends at a bit. A whole secret that begins no longer one is none.
func (f *finder) endIn(node int32, bits, end int) {
	if f.index.first[node] == f.index.first[node+1] || node == 0 {
		return
	}
	at := (end - 8*f.index.depth(node)) / bits
	if f.from != nil {
		at = int(f.from[at])
	}
	f.partial = min(f.partial, at)
}

// hide adds a hole. It grows the last one if they touch: there may be one at
// every byte.
func (f *finder) hide(from, to int) {
	if f.from != nil {
		from, to = int(f.from[from]), int(f.from[to])
	}
	if n := len(f.holes); n > 0 && from <= f.holes[n-1].to && to >= f.holes[n-1].from {
		last := &f.holes[n-1]
		last.from, last.to = min(last.from, from), max(last.to, to)
		return
	}
	f.holes = append(f.holes, hole{from, to})
}

// replace puts a mark in the place of each hole, one for those that touch, and
// returns the number of marks.
func replace(text string, holes []hole) (out string, marks int) {
	if len(holes) == 0 {
		return text, 0
	}
	var b strings.Builder
	shown := 0 // the end of what is written or hidden
	for i, h := range byStart(holes) {
		if i == 0 || h.from > shown {
			b.WriteString(text[shown:h.from])
			b.WriteString(Removed)
			marks++
		}
		shown = max(shown, h.to)
	}
	b.WriteString(text[shown:])
	return b.String(), marks
}

// byStart sorts holes in place.
func byStart(holes []hole) []hole {
	slices.SortFunc(holes, func(a, b hole) int { return cmp.Compare(a.from, b.from) })
	return holes
}
