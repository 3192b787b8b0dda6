package redact

import (
	"bytes"
	"cmp"
	"regexp"
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
	if hasEscapes(text) {
		d := decode(text)
		f.from = d.from
		f.search(d.text)
		if d.open > 0 { // a secret may continue with what the unfinished escape stands for
			f.search(d.text[:len(d.text)-d.open])
		}
	}
	return f
}

// hasEscapes reports whether a text may read otherwise when it is decoded.
func hasEscapes(text string) bool { return strings.ContainsAny(text, `%\`) }

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

// folder gives one form to what encoders write differently: a space becomes +, and a
// line break becomes n, the letter of its JSON escape without the backslash.
var folder = strings.NewReplacer(" ", "+", "\n", "n", "\t", "t", "\r", "r")

// fold does the same for one byte.
func fold(c byte) byte {
	switch c {
	case ' ':
		return '+'
	case '\n':
		return 'n'
	case '\t':
		return 't'
	case '\r':
		return 'r'
	}
	return c
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

const (
	urlDelimiters = " \t\n\"'<>{}|`"
	slash         = `(?:\\*/|%(?:25)*2f|\\+u002f)`
	query         = `(?:\?|%(?:25)*3f|\\+u003f)`
	equals        = `(?:=|%(?:25)*3d|\\+u003d)`
	// header matches what stands between the name of a header and its value.
	header = `\\*["']?\s*[:=]\s*(?:\[?\s*\\*["'])?`
	word   = `[^\s"',;\\]`
	param  = `[\w.-]+=(?:\\*"[^\s"\\,;]+\\*"|` + word + `*)`
	pem    = `[a-z0-9 ]*private key(?: block)?-----`
)

// The patterns match text in lower case. Each starts with a literal, which package regexp
// searches fast.
var (
	approvalPath = regexp.MustCompile(`runs` + slash + `approval` + slash + `?` + query)
	tokenQuery   = regexp.MustCompile(`token` + equals)
	// Of these only the group is taken out.
	authorization = regexp.MustCompile(`authorization` + header + `((?:\[?[a-z][a-z0-9-]*[ \t]+)?(?:` + param + `|` + word + `+)(?:,[ \t]*` + param + `)*)`)
	cookie        = regexp.MustCompile(`cookie` + header + `(` + param + `(?:;[ \t]*(?:` + param + `|` + word + `+))*)`)
	privateKey    = regexp.MustCompile(`(-----begin ` + pem + `(?:[\w+/=\s\\:,-]*?-----end ` + pem + `|[\w+/=\s\\:,-]*))`)
)

// findPatterns returns what the patterns match in visible text.
func findPatterns(text string) (spans []span) {
	lower := lowerASCII(text)
	spans = findLinks(lower)
	for _, p := range [...]*regexp.Regexp{authorization, cookie, privateKey} {
		if start, _ := p.LiteralPrefix(); !strings.Contains(lower, start) { // ten times as fast as the pattern
			continue
		}
		for _, at := range p.FindAllStringSubmatchIndex(lower, -1) {
			spans = append(spans, span{at[2], at[3]})
		}
	}
	kept := spans[:0]
	for _, s := range spans {
		found := strings.TrimRight(text[s.from:s.to], `\`) // of an escaped quote after it
		if found != "" && found != Removed {
			kept = append(kept, span{s.from, s.from + len(found)})
		}
	}
	return kept
}

// findLinks returns the approval links in text in lower case. It reads each URL once.
func findLinks(lower string) (spans []span) {
	if start, _ := approvalPath.LiteralPrefix(); !strings.Contains(lower, start) {
		return nil
	}
	for end := 0; ; {
		at := approvalPath.FindStringIndex(lower[end:])
		if at == nil {
			return spans
		}
		from := end + strings.LastIndexAny(lower[end:end+at[0]], urlDelimiters) + 1
		query := end + at[1]
		end = len(lower)
		if i := strings.IndexAny(lower[query:], urlDelimiters); i >= 0 {
			end = query + i
		}
		if tokenQuery.MatchString(lower[query:end]) {
			spans = append(spans, span{from, end})
		}
	}
}

// lowerASCII returns s with its ASCII letters in lower case. Unlike [strings.ToLower] it
// keeps the position of every byte.
func lowerASCII(s string) string {
	var out strings.Builder
	for done, i := 0, 0; ; i++ {
		switch {
		case i == len(s) && done == 0:
			return s
		case i == len(s):
			out.WriteString(s[done:])
			return out.String()
		case 'A' <= s[i] && s[i] <= 'Z':
			if done == 0 {
				out.Grow(len(s))
			}
			out.WriteString(s[done:i])
			out.WriteByte(s[i] | 0x20)
			done = i + 1
		}
	}
}

// automaton finds many byte strings in one pass (Aho-Corasick). A node stands for the
// beginning of a pattern; node 0 is the root. Nodes are numbered level by level, so
// that the children of node n are the nodes first[n] to first[n+1]-1.
type automaton struct {
	root   [256]int32 // the root's children by their byte, 0 for none
	first  []int32    // the first child
	fail   []int32    // the node of the longest proper suffix
	match  []int32    // the length of the longest pattern that ends here, 0 for none
	levels []int32    // the first node of each depth
	char   []byte     // the last byte
}

// newAutomaton returns the automaton of sorted, distinct patterns.
func newAutomaton(patterns []string) automaton {
	if len(patterns) == 0 {
		return automaton{}
	}
	most, longest := 1, 0 // nodes, and the length of the longest pattern
	for _, p := range patterns {
		most += len(p)
		longest = max(longest, len(p))
	}
	numbers := make([]int32, 3*most+1)
	a := automaton{
		first:  numbers[:most+1],
		fail:   numbers[most+1 : 2*most+1],
		match:  numbers[2*most+1:],
		levels: make([]int32, 1, longest+1),
		char:   make([]byte, most),
	}
	a.addNodes(patterns)
	a.link()
	return a
}

// addNodes makes the nodes, level by level. The patterns are sorted: those with the same
// beginning follow one another and share its node.
func (a *automaton) addNodes(patterns []string) {
	at := make([]int32, len(patterns)) // each pattern's node
	longer := make([]int, len(patterns))
	for i := range longer {
		longer[i] = i
	}
	n := int32(1)
	for depth := 0; len(longer) > 0; depth++ {
		a.levels = append(a.levels, n)
		parent := int32(-1) // of the last node
		kept := longer[:0]
		for _, i := range longer {
			if c := patterns[i][depth]; at[i] != parent || a.char[n-1] != c {
				parent = at[i]
				if a.first[parent] == 0 {
					a.first[parent] = n
				}
				a.char[n] = c
				n++
			}
			at[i] = n - 1
			if len(patterns[i]) > depth+1 {
				kept = append(kept, i)
			} else {
				a.match[n-1] = int32(depth + 1)
			}
		}
		longer = kept
	}
	a.first, a.fail, a.match, a.char = a.first[:n+1], a.fail[:n], a.match[:n], a.char[:n]
	a.first[n] = n
	for n--; n >= 0; n-- {
		if a.first[n] == 0 {
			a.first[n] = a.first[n+1]
		}
	}
}

// link sets fail and match of each node.
func (a *automaton) link() {
	for n := range a.fail {
		for child := a.first[n]; child < a.first[n+1]; child++ {
			if n == 0 {
				a.root[a.char[child]] = child
			} else {
				a.fail[child] = a.step(a.fail[n], a.char[child])
			}
			if a.match[child] == 0 {
				a.match[child] = a.match[a.fail[child]]
			}
		}
	}
}

// step returns the node after one more byte: that of the longest beginning of a pattern
// in which the text ends.
func (a *automaton) step(n int32, c byte) int32 {
	for n != 0 {
		from, to := a.first[n], a.first[n+1]
		if to-from > 8 {
			if i := bytes.IndexByte(a.char[from:to], c); i >= 0 {
				return from + int32(i)
			}
		} else {
			for ; from < to; from++ {
				if a.char[from] == c {
					return from
				}
			}
		}
		n = a.fail[n]
	}
	return a.root[c]
}

// depth returns the length of what a node stands for.
func (a *automaton) depth(n int32) int {
	depth, exact := slices.BinarySearch(a.levels, n)
	if !exact {
		depth--
	}
	return depth
}
