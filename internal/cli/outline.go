package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// printOutline prints a JSON value for a person: a name and a value per line, nested
// values indented, in the order of the text. Lines are broken at so many columns.
func printOutline(out io.Writer, value json.RawMessage, columns int) {
	o := outline{out: out, columns: columns}
	o.printValue("", "", value)
}

// outline is one printing.
type outline struct {
	out     io.Writer
	columns int
}

// printValue prints a value after a label, which may be empty. Lines begin with indent.
func (o *outline) printValue(indent, label string, value json.RawMessage) {
	switch value = bytes.TrimSpace(value); {
	case isEmpty(value):
		if label != "" {
			o.printText(indent, label+" none")
		}
	case value[0] == '{':
		o.printObject(indent, label, value)
	case value[0] == '[':
		o.printList(indent, label, value)
	default:
		o.printText(indent, strings.TrimSpace(label+" "+scalar(value)))
	}
}

// printObject prints an object: a line per field, the first one after a dash if the
// object is an item of a list.
func (o *outline) printObject(indent, label string, value json.RawMessage) {
	fields := members(value)
	switch label {
	case "":
	case dash:
		o.printValue(indent, dash+" "+fields[0].name+":", fields[0].value)
		indent, fields = indent+"  ", fields[1:]
	default:
		o.printText(indent, label)
		indent += "  "
	}
	for _, m := range fields {
		o.printValue(indent, m.name+":", m.value)
	}
}

// dash stands before an item of a list.
const dash = "-"

// printList prints the items of a list: short ones in a line, others each after a dash.
func (o *outline) printList(indent, label string, value json.RawMessage) {
	var items []json.RawMessage
	_ = json.Unmarshal(value, &items)
	if line, ok := shortList(items); ok {
		o.printText(indent, strings.TrimSpace(label+" "+line))
		return
	}
	if label != "" {
		o.printText(indent, label)
		indent += "  "
	}
	for _, item := range items {
		o.printValue(indent, dash, item)
	}
}

// shortList returns numbers and short words as one line.
func shortList(items []json.RawMessage) (line string, ok bool) {
	var words []string
	for _, item := range items {
		if word := scalar(item); item[0] == '{' || item[0] == '[' || len(word) > 40 || strings.Contains(word, ",") {
			return "", false
		} else {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", "), true
}

// printText prints a text, broken at the columns. Later lines are indented a bit more.
func (o *outline) printText(indent, text string) {
	for i, paragraph := range strings.Split(text, "\n") {
		for j, line := range wrapText(paragraph, o.columns-len(indent)-2) {
			hanging := indent
			if i+j > 0 {
				hanging += "  "
			}
			fmt.Fprintln(o.out, strings.TrimRight(hanging+line, " "))
		}
	}
}

// member is a field of an object.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the fields of an object in their order.
func members(object json.RawMessage) (list []member) {
	in := json.NewDecoder(bytes.NewReader(object))
	_, _ = in.Token()
	for in.More() {
		name, err := in.Token()
		var m member
		if err == nil {
			m.name, _ = name.(string)
			err = in.Decode(&m.value)
		}
		if err != nil {
			return list
		}
		list = append(list, m)
	}
	return list
}

// isEmpty reports whether a value has nothing to print.
func isEmpty(value json.RawMessage) bool {
	return len(value) == 0 || string(value) == "null" || string(value) == "[]" || string(value) == "{}" || string(value) == `""`
}

// scalar returns a string, a number or a boolean as text, without characters that would
// control a terminal.
func scalar(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	return printable(text)
}

// printable returns a text without the characters that control a terminal. Line breaks
// stay.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
}
