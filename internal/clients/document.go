package clients

import (
	"maps"
	"slices"
)

// field is a name and its value: a string, bool, number, list, [fields] or map.
type field struct {
	name  string
	value any
}

// fields is an object whose members have an order.
type fields []field

// object returns the fields as they are read from a file.
func (f fields) object() map[string]any {
	out := map[string]any{}
	for _, field := range f {
		switch value := field.value.(type) {
		case fields:
			out[field.name] = value.object()
		case []string:
			list := make([]any, len(value))
			for i, item := range value {
				list[i] = item
			}
			out[field.name] = list
		default:
			out[field.name] = value
		}
	}
	return out
}

// sorted returns the members of an object in the order of their names.
func sorted(object map[string]any) (out fields) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		out = append(out, field{name, object[name]})
	}
	return out
}

// get returns the value at a path, nil if there is none.
func get(document map[string]any, path []string) any {
	var value any = document
	for _, name := range path {
		value = object(value)[name]
	}
	return value
}

// put sets the value at a path.
func put(document map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next := object(document[name])
		if next == nil {
			next = map[string]any{}
			document[name] = next
		}
		document = next
	}
	document[path[len(path)-1]] = value
}

// cut removes the value at a path.
func cut(document map[string]any, path []string) {
	delete(object(get(document, path[:len(path)-1])), path[len(path)-1])
}

// withoutEmpty returns a document without the objects on the way to a path that are
// empty, and without an empty list of inputs.
func withoutEmpty(document map[string]any, path []string) map[string]any {
	document = maps.Clone(document)
	if document == nil {
		document = map[string]any{}
	}
	if list, ok := document[inputs].([]any); ok && len(list) == 0 {
		delete(document, inputs)
	}
	inner, exists := document[path[0]]
	if len(path) == 1 || !exists {
		return document
	}
	if left := withoutEmpty(object(inner), path[1:]); len(left) > 0 {
		document[path[0]] = left
	} else {
		delete(document, path[0])
	}
	return document
}
