package redact

import (
	"bytes"
	"slices"
)

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
