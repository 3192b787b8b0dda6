package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// specimen makes up values for schemas, the same value for the same schema.
type specimen struct {
	root  map[string]any
	depth int // of $ref within $ref, to notice a schema that asks for itself for ever
	made  int // values so far, for minItems would let 200 nodes fill the memory
}

const (
	maxRefDepth       = 20
	maxSpecimenValues = 20_000
)

var errEndless = errors.New("the schema asks for a value without end, or one too large for the sandbox")

// make returns a value for a schema. nth tells the items of one array apart.
func (m *specimen) make(schema any, nth int) (any, error) {
	if m.made++; m.made > maxSpecimenValues || m.depth > maxRefDepth {
		return nil, errEndless
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return fmt.Sprintf("sandbox %d", nth+1), nil // true, or no schema at all
	}
	if ref, used := s["$ref"]; used { // in draft 7 its neighbours don't count
		target, err := definition(m.root, ref)
		if err != nil {
			return nil, err
		}
		m.depth++
		defer func() { m.depth-- }()
		return m.make(target, nth)
	}
	if value, used := s["const"]; used {
		return value, nil
	}
	if words, ok := s["enum"].([]any); ok && len(words) > 0 {
		return words[nth%len(words)], nil
	}
	switch kind(s) {
	case "object":
		return m.object(s)
	case "array":
		return m.array(s)
	case "integer":
		return numberFor(s, nth, true), nil
	case "number":
		return numberFor(s, nth, false), nil
	case "boolean":
		return nth%2 == 0, nil
	case "null":
		return nil, nil
	default:
		return textFor(s, nth), nil
	}
}

// kind is the type to make: the first that is named and not null, or the one
// the other words of the schema speak of.
func kind(s map[string]any) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		for _, one := range t {
			if one != "null" {
				name, _ := one.(string)
				return name
			}
		}
		return "null"
	}
	for _, hint := range [][2]string{{"properties", "object"}, {"required", "object"}, {"minProperties", "object"},
		{"items", "array"}, {"minItems", "array"}, {"contains", "array"},
		{"minimum", "number"}, {"maximum", "number"}, {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"}, {"multipleOf", "number"}} {
		if _, used := s[hint[0]]; used {
			return hint[1]
		}
	}
	return "string"
}

// object has every property the schema names, except those that may be left
// out and lead into a recursion, and as many more as minProperties asks for.
func (m *specimen) object(s map[string]any) (any, error) {
	value := map[string]any{}
	named, _ := s["properties"].(map[string]any)
	required := map[string]bool{}
	if list, ok := s["required"].([]any); ok {
		for _, v := range list {
			name, _ := v.(string)
			required[name] = true
		}
	}
	limit := bound(s, "maxProperties", math.MaxInt32)
	names := slices.Sorted(maps.Keys(required))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if allowed, isBool := named[name].(bool); required[name] || isBool && !allowed {
			continue
		}
		names = append(names, name)
	}
	for _, name := range names {
		if !required[name] && (len(value) >= limit || m.depth > 1 && refers(named[name])) {
			continue
		}
		schema, ok := named[name]
		if !ok {
			schema = s["additionalProperties"]
		}
		made, err := m.make(schema, 0)
		if err != nil {
			return nil, err
		}
		value[name] = made
	}
	for n := 1; len(value) < bound(s, "minProperties", 0); n++ {
		made, err := m.make(s["additionalProperties"], n)
		if err != nil {
			return nil, err
		}
		value[fmt.Sprintf("sandbox%d", n)] = made
	}
	return value, nil
}

// refers reports whether a schema leads to a definition, itself or by its
// parts.
func refers(schema any) bool {
	s, ok := schema.(map[string]any)
	if !ok {
		return false
	}
	if _, used := s["$ref"]; used {
		return true
	}
	return slices.ContainsFunc(parts(s), func(part map[string]any) bool { return refers(part) })
}

// array has one item, or as many as the schema wants, or none where the items
// lead into a recursion.
func (m *specimen) array(s map[string]any) (any, error) {
	value := []any{}
	least := bound(s, "minItems", 0)
	tuple, isTuple := s["items"].([]any)
	count := max(least, 1, len(tuple))
	if m.depth > 1 && refers(s["items"]) {
		count = least
	}
	contains, wantsOne := s["contains"]
	if wantsOne {
		count = max(count, 1)
	}
	for n := range min(count, bound(s, "maxItems", math.MaxInt32)) {
		schema := s["items"]
		switch {
		case wantsOne && n == 0:
			schema = contains
		case isTuple && n < len(tuple):
			schema = tuple[n]
		case isTuple:
			schema = s["additionalItems"]
		}
		made, err := m.make(schema, n)
		if err != nil {
			return nil, err
		}
		value = append(value, made)
	}
	return value, nil
}

// bound reads a whole number that limits something.
func bound(s map[string]any, word string, otherwise int) int {
	if n, ok := s[word].(float64); ok && n >= 0 && n <= math.MaxInt32 {
		return int(n)
	}
	return otherwise
}

// numberFor is the nth number within the limits, on the grid of multipleOf.
func numberFor(s map[string]any, nth int, whole bool) any {
	step := 1.0
	if n, ok := s["multipleOf"].(float64); ok && n > 0 {
		step = n
		for whole && step != math.Trunc(step) && step < 1e6 {
			step *= 10 // 0.5 and integer: 5 is on both grids
		}
	}
	low, hasLow := s["minimum"].(float64)
	over, hasOver := s["exclusiveMinimum"].(float64)
	high, hasHigh := s["maximum"].(float64)
	under, hasUnder := s["exclusiveMaximum"].(float64)
	n := 1.0
	switch {
	case hasOver && (!hasLow || over >= low):
		n = math.Floor(over/step)*step + step
	case hasLow:
		n = math.Ceil(low/step) * step
	case hasUnder && (!hasHigh || under <= high) && under <= n:
		n = math.Ceil(under/step)*step - step
	case hasHigh && high < n:
		n = math.Floor(high/step) * step
	default:
		n = math.Ceil(n/step) * step
	}
	if !hasLow && !hasOver && (hasHigh || hasUnder) {
		return n - float64(nth)*step
	}
	n += float64(nth) * step
	if !whole && hasHigh && n > high && nth == 0 {
		return high // between two steps of a grid nobody asked for
	}
	if !whole && hasUnder && n >= under && nth == 0 {
		return (max(low, over) + under) / 2
	}
	return n
}

// textFor is the nth string of a format, a pattern or a length.
func textFor(s map[string]any, nth int) string {
	if format, ok := s["format"].(string); ok {
		if text := formatted(format, nth); text != "" {
			return text
		}
	}
	if pattern, ok := s["pattern"].(string); ok {
		return matching(pattern, bound(s, "minLength", 0), nth)
	}
	text := fmt.Sprintf("sandbox %d", nth+1)
	if least := min(bound(s, "minLength", 0), 1<<16); len(text) < least {
		text += strings.Repeat("x", least-len(text))
	}
	if most := bound(s, "maxLength", math.MaxInt32); len(text) > most {
		text = text[len(text)-most:] // its end tells the items of an array apart
	}
	return text
}

func formatted(format string, nth int) string {
	switch format {
	case "date-time":
		return fmt.Sprintf("2026-01-01T00:00:%02dZ", nth%60)
	case "date":
		return fmt.Sprintf("2026-01-%02d", 1+nth%28)
	case "time":
		return fmt.Sprintf("00:00:%02dZ", nth%60)
	case "email", "idn-email":
		return fmt.Sprintf("sandbox%d@sandbox.invalid", nth+1)
	case "hostname", "idn-hostname":
		return fmt.Sprintf("host%d.sandbox.invalid", nth+1)
	case "uri", "iri", "uri-reference", "iri-reference":
		return fmt.Sprintf("https://sandbox.invalid/%d", nth+1)
	case "uuid":
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", nth+1)
	case "ipv4":
		return fmt.Sprintf("192.0.2.%d", 1+nth%254)
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", 1+nth%65535)
	case "json-pointer":
		return fmt.Sprintf("/%d", nth)
	case "regex":
		return "sandbox"
	}
	return ""
}
