package toolschema

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// hint names the argument that an unknown one was meant to be, or all there are.
// It knows top-level arguments only.
func (a *Arguments) hint(location []string, name string) string {
	if len(location) > 0 {
		return ""
	}
	if near := a.nearest(name); near != "" {
		return "; did you mean " + near + "?"
	}
	if names := a.names(); len(names) > 0 {
		return "; there are " + strings.Join(names, ", ")
	}
	return "; the tool takes none"
}

// nearest returns the argument that an unknown name may stand for: one whose
// words include all words of the name, or one whose spelling is close; "" for none.
func (a *Arguments) nearest(name string) string {
	name, names := shortName(name), a.names()
	asked := wordsOf(name)
	for _, known := range names {
		words := wordsOf(known)
		isMissing := func(word string) bool { return !slices.Contains(words, word) }
		if len(asked) > 0 && !slices.ContainsFunc(asked, isMissing) {
			return known
		}
	}
	if len(names) == 0 {
		return ""
	}
	closest := slices.MinFunc(names, func(x, y string) int {
		return cmp.Compare(distance(name, x), distance(name, y))
	})
	if distance(name, closest) <= len(closest)/3 {
		return closest
	}
	return ""
}

// names returns the arguments there are: the required ones first, each group in
// alphabetical order.
func (a *Arguments) names() []string {
	optional := func(name string) int {
		if slices.Contains(a.schema.Required, name) {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(maps.Keys(a.schema.Properties), func(x, y string) int {
		return cmp.Or(cmp.Compare(optional(x), optional(y)), cmp.Compare(x, y))
	})
}

// nameWord matches one word of a name in camel or snake case.
var nameWord = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+|[0-9]+`)

// wordsOf returns the words of a name in lower case, without the s of a plural.
func wordsOf(name string) []string {
	words := nameWord.FindAllString(name, -1)
	for i, word := range words {
		words[i] = strings.TrimSuffix(strings.ToLower(word), "s")
	}
	return words
}

// distance returns the Levenshtein distance of two names: how many letters must be
// changed, added or removed. Case and underscores do not count.
func distance(a, b string) int {
	a, b = fold(a), fold(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// fold returns a name in lower case, without underscores.
func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "") }

// maxName bounds what is shown and compared of an argument name that a model made
// up, in bytes.
const maxName = 40

// shortName cuts a name that is too long.
func shortName(name string) string {
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName], "") + "…"
}
