package view

import (
	"cmp"
	"slices"

	"runs-mcp-server/internal/rawjson"
)

// field is one field of an object.
type field struct {
	name   string
	label  string // the name as it is shown
	value  []byte
	weight int // see [weight]
}

// fieldsOf returns the fields of an object, sorted by name, at most most of them, and
// how many are left. Of fields with the same name the last counts. It holds 2*most
// fields at a time.
func fieldsOf(object []byte, most int) (fields []field, left int) {
	var beyond string // once there are most fields: fields with a later name are left out
	for quoted, value := range rawjson.Members(object) {
		if beyond != "" && string(quoted[1:len(quoted)-1]) > beyond && !slices.Contains(quoted, '\\') {
			left++
			continue
		}
		name, _ := rawjson.String(quoted)
		fields = append(fields, field{name: name, value: value})
		if len(fields) == 2*most {
			var dropped int
			if fields, dropped = firstFields(fields, most); len(fields) == most {
				beyond = fields[most-1].name
			}
			left += dropped
		}
	}
	fields, dropped := firstFields(fields, most)
	return fields, left + dropped
}

// firstFields sorts fields by name, and keeps the last of each name and at most most
// of them.
func firstFields(fields []field, most int) (first []field, dropped int) {
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	first = fields[:0]
	for i, f := range fields {
		if i+1 == len(fields) || fields[i+1].name != f.name {
			first = append(first, f)
		}
	}
	dropped = max(len(first)-most, 0)
	return first[:len(first)-dropped], dropped
}

// smallestFirst sorts fields by weight: the large ones share what the small ones leave.
func smallestFirst(fields []field, limit int) []field {
	for i := range fields {
		fields[i].weight = weight(fields[i].value, limit)
	}
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(a.weight, b.weight) })
	return fields
}

// weight returns about how many bytes a value takes when it is shown, most+1 if that
// is more than most. It stops reading then.
func weight(raw []byte, most int) int {
	n, opened := 0, false
	for from, end := rawjson.Token(raw, 0); from < end && n <= most; from, end = rawjson.Token(raw, end) {
		c := raw[from]
		if opened && c != ']' && c != '}' {
			n++
		}
		opened = c == '[' || c == '{'
		switch c {
		case ']', '}':
		case ',', ':':
			n++
		case '[', '{', 't', 'f', 'n':
			n += 2
		case '"':
			if (end-from)/6 > most { // no escape is longer
				return most + 1
			}
			n += rawjson.Len(raw[from:end]) + 2
		default:
			n += end - from + 2
		}
	}
	return min(n, most+1)
}
