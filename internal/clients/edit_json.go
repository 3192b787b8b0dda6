package clients

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// jsonSyntax is how JSON writes an object in one line.
func jsonSyntax() syntax { return syntax{"{", "}", ": ", quote} }

// setJSON sets the value at a path. What is missing on the way is added at the end of the
// object that lacks it.
func setJSON(data []byte, path []string, value any) ([]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return []byte(writeJSON(nest(path, value), "", defaultIndent, "\n") + "\n"), nil
	}
	root, err := hujson.Parse(data)
	if err != nil {
		return nil, err
	}
	at := &root
	for i, name := range path {
		object, ok := at.Value.(*hujson.Object)
		if !ok {
			return nil, fmt.Errorf("what stands before %q is no object", name)
		}
		m := memberIndex(at, name)
		if m < 0 {
			return containerOf(at).insert(data, indentUnit(data, &root), func(in layout) string {
				return quote(name) + ": " + in.write(nest(path[i+1:], value))
			}), nil
		}
		at = &object.Members[m].Value
	}
	in := layout{indent: indentAt(data, at.StartOffset), unit: indentUnit(data, &root), newline: newline(data)}
	return splice(data, at.StartOffset, at.EndOffset, in.write(value)), nil
}

// unsetJSON removes the value at a path, and the objects on the way that are empty then.
func unsetJSON(data []byte, path []string) ([]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return []byte("{}\n"), nil
	}
	for depth := len(path); depth > 0; depth-- {
		root, err := hujson.Parse(data)
		if err != nil {
			return nil, err
		}
		parent, i := findPath(&root, path[:depth])
		if i >= 0 && (depth == len(path) || isBare(data, parent.Value.(*hujson.Object).Members[i].Value)) {
			data = containerOf(parent).remove(data, i)
		}
	}
	return tidyRoot(data)
}

// appendJSON adds an item to a list of the root, which is added if it is missing.
func appendJSON(data []byte, name string, item any) ([]byte, error) {
	root, err := hujson.Parse(data)
	if err != nil {
		return nil, err
	}
	parent, i := findPath(&root, []string{name})
	if i < 0 {
		return setJSON(data, []string{name}, []any{item})
	}
	list := &parent.Value.(*hujson.Object).Members[i].Value
	if _, ok := list.Value.(*hujson.Array); !ok {
		return nil, fmt.Errorf("%q is no list", name)
	}
	return containerOf(list).insert(data, indentUnit(data, &root), func(in layout) string { return in.write(item) }), nil
}

// dropJSON removes an item of a list of the root, and the list if it is empty then.
func dropJSON(data []byte, name string, item int) ([]byte, error) {
	root, err := hujson.Parse(data)
	if err != nil {
		return nil, err
	}
	parent, i := findPath(&root, []string{name})
	list := &parent.Value.(*hujson.Object).Members[i].Value
	if array, ok := list.Value.(*hujson.Array); ok && len(array.Elements) == 1 {
		data = containerOf(parent).remove(data, i)
		return tidyRoot(data)
	}
	return containerOf(list).remove(data, item), nil
}

// memberIndex returns which member of a value has a name, -1 if none has.
func memberIndex(v *hujson.Value, name string) int {
	object, ok := v.Value.(*hujson.Object)
	if !ok {
		return -1
	}
	return slices.IndexFunc(object.Members, func(m hujson.ObjectMember) bool {
		literal, ok := m.Name.Value.(hujson.Literal)
		return ok && literal.String() == name
	})
}

// findPath returns the object that holds the last name of a path, and which member has
// that name; -1 if there is no such value.
func findPath(root *hujson.Value, path []string) (parent *hujson.Value, i int) {
	parent, i = root, memberIndex(root, path[0])
	for _, name := range path[1:] {
		if i < 0 {
			break
		}
		parent = &parent.Value.(*hujson.Object).Members[i].Value
		i = memberIndex(parent, name)
	}
	return parent, i
}

// isBare reports whether a value is an object or a list with nothing in it, not even a
// comment.
func isBare(data []byte, v hujson.Value) bool {
	switch v.Value.(type) {
	case *hujson.Object, *hujson.Array:
		return len(bytes.TrimSpace(data[v.StartOffset+1:v.EndOffset-1])) == 0
	}
	return false
}

// tidyRoot writes an empty root object without white space in it.
func tidyRoot(data []byte) ([]byte, error) {
	root, err := hujson.Parse(data)
	if err != nil || !isBare(data, root) {
		return data, err
	}
	return splice(data, root.StartOffset, root.EndOffset, "{}"), nil
}

// nest returns a value under the names of a path.
func nest(path []string, value any) any {
	for i := len(path) - 1; i >= 0; i-- {
		value = fields{{path[i], value}}
	}
	return value
}

// defaultIndent is the indentation of a new file.
const defaultIndent = "  "

// indentUnit returns the indentation of the root's members.
func indentUnit(data []byte, root *hujson.Value) string {
	if object, ok := root.Value.(*hujson.Object); ok && len(object.Members) > 0 {
		if indent := indentAt(data, object.Members[0].Name.StartOffset); indent != "" {
			return indent
		}
	}
	return defaultIndent
}

// layout is how a value is written: over lines, or in one line if there is no newline.
type layout struct{ indent, unit, newline string }

func (l layout) write(value any) string { return writeJSON(value, l.indent, l.unit, l.newline) }

// writeJSON writes a value. Objects, and lists of them, have a line for each member.
func writeJSON(value any, indent, unit, newline string) string {
	if newline == "" {
		return jsonSyntax().inline(value)
	}
	begin, end, items := "{", "}", []string(nil)
	inner := indent + unit
	switch value := value.(type) {
	case map[string]any:
		return writeJSON(sorted(value), indent, unit, newline)
	case fields:
		for _, field := range value {
			items = append(items, quote(field.name)+": "+writeJSON(field.value, inner, unit, newline))
		}
	case []any:
		for _, item := range value {
			switch item.(type) {
			case fields, map[string]any:
				begin, end, items = "[", "]", append(items, writeJSON(item, inner, unit, newline))
			}
		}
	}
	if len(items) == 0 {
		return jsonSyntax().inline(value)
	}
	return begin + newline + inner + strings.Join(items, ","+newline+inner) + newline + indent + end
}
