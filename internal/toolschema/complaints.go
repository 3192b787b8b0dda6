package toolschema

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxComplaints bounds how many faults one error names.
const maxComplaints = 4

// complain returns an error that names the first faults which a validation found.
func (a *Arguments) complain(err error) error {
	invalid, ok := errors.AsType[*validator.ValidationError](err)
	if !ok {
		return err
	}
	complaints := a.appendComplaints(nil, invalid)
	slices.Sort(complaints)
	complaints = slices.Compact(complaints)
	return errors.New(strings.Join(complaints[:min(len(complaints), maxComplaints)], "; "))
}

// appendComplaints appends the complaints about a fault, or about its causes.
func (a *Arguments) appendComplaints(complaints []string, fault *validator.ValidationError) []string {
	for _, cause := range fault.Causes {
		complaints = a.appendComplaints(complaints, cause)
	}
	if len(fault.Causes) > 0 {
		return complaints
	}
	location := fault.InstanceLocation
	switch k := fault.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			complaints = append(complaints, pathOf(location, name)+" is required")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			complaints = append(complaints, "there is no argument "+pathOf(location, shortName(name))+a.hint(location, name))
		}
	default:
		complaints = append(complaints, pathOf(location)+" "+describeFault(k, len(location) == 0))
	}
	return complaints
}

// describeFault says what is wrong with one value. root says that the value is all
// the arguments.
func describeFault(fault validator.ErrorKind, root bool) string {
	switch k := fault.(type) {
	case *kind.Type:
		if !root && k.Got == "string" && slices.Equal(k.Want, []string{"object"}) {
			return "must be a JSON object, or a text that holds one; this text holds none"
		}
		return fmt.Sprintf("must be of type %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return "must be one of " + joinValues(k.Want)
	case *kind.Minimum:
		return "must be at least " + formatNumber(k.Want)
	case *kind.Maximum:
		return "must be at most " + formatNumber(k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.Format:
		return fmt.Sprintf("must be a %s such as 123e4567-e89b-12d3-a456-426614174000", strings.ToUpper(k.Want))
	}
	return "is not as the tool's schema says"
}

// pathOf names the argument at a location, with the names below it that are given.
func pathOf(location []string, below ...string) string {
	path := slices.Concat(location, below)
	if len(path) == 0 {
		return "arguments"
	}
	return strings.Join(path, ".")
}

func joinValues(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

func formatNumber(n *big.Rat) string { return strings.TrimSuffix(n.FloatString(2), ".00") }

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

// maxArgumentName bounds what is shown and compared of an argument name that a model made
// up, in bytes.
const maxArgumentName = 40

// shortName cuts a name that is too long.
func shortName(name string) string {
	if len(name) <= maxArgumentName {
		return name
	}
	return strings.ToValidUTF8(name[:maxArgumentName], "") + "…"
}
