package toolschema

import (
	"errors"
	"fmt"
	"math/big"
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
