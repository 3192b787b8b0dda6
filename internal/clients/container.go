package clients

import (
	"bytes"

	"github.com/tailscale/hujson"
)

// container is where an object or a list of JSON stands in a text.
type container struct {
	start, end int    // with the brackets
	items      []item // its members
}

// item is where a member stands: its name, colon and value.
type item struct {
	start, end int
	comma      int // the offset of the comma after it, 0 for none
}

// containerOf returns the container that a value is.
func containerOf(v *hujson.Value) container {
	c := container{start: v.StartOffset, end: v.EndOffset}
	add := func(start int, last *hujson.Value, isLast bool) {
		comma := 0
		if !isLast || last.AfterExtra != nil {
			comma = last.EndOffset + len(last.AfterExtra)
		}
		c.items = append(c.items, item{start, last.EndOffset, comma})
	}
	switch v := v.Value.(type) {
	case *hujson.Object:
		for i := range v.Members {
			add(v.Members[i].Name.StartOffset, &v.Members[i].Value, i == len(v.Members)-1)
		}
	case *hujson.Array:
		for i := range v.Elements {
			add(v.Elements[i].StartOffset, &v.Elements[i], i == len(v.Elements)-1)
		}
	}
	return c
}

// insert adds a member at the end, after what is said in comments of the last one.
func (c container) insert(data []byte, unit string, write func(layout) string) []byte {
	in := layout{indent: indentAt(data, c.start) + unit, unit: unit, newline: newline(data)}
	if len(c.items) == 0 {
		at := lineEnd(data, c.start+1, c.end-1)
		text := in.newline + in.indent + write(in)
		if at == c.end-1 {
			text += in.newline + indentAt(data, c.start)
		}
		return splice(data, at, at, text)
	}
	last := c.items[len(c.items)-1]
	isLine := bytes.ContainsRune(data[c.start:c.end], '\n')
	if isLine && len(bytes.TrimSpace(data[lineStart(data, last.start):last.start])) == 0 {
		in.indent = indentAt(data, last.start)
	}
	if !isLine {
		in.newline = ""
	}
	return c.insertAfter(data, last, in, write(in))
}

// insertAfter adds the text of a member after the last one.
func (c container) insertAfter(data []byte, last item, in layout, text string) []byte {
	space := in.newline + in.indent
	if in.newline == "" {
		space = " "
	}
	if last.comma != 0 {
		at := last.comma + 1
		if in.newline != "" {
			at = lineEnd(data, at, c.end-1)
		}
		return splice(data, at, at, space+text+",")
	}
	at := last.end
	if in.newline != "" {
		at = lineEnd(data, at, c.end-1)
	}
	return splice(splice(data, at, at, space+text), last.end, last.end, ",")
}

// remove removes a member, with its line and its comma.
func (c container) remove(data []byte, i int) []byte {
	removed := c.items[i]
	start, end := removed.start, removed.end
	if removed.comma != 0 {
		end = removed.comma + 1
	}
	for data[start-1] == ' ' || data[start-1] == '\t' { // the bracket ends it
		start--
	}
	switch {
	case data[start-1] == '\n' && endsComment(data, start-1, end):
	case data[start-1] == '\n':
		start--
		if data[start-1] == '\r' {
			start--
		}
	case i == 0:
		start = removed.start
		for data[end] == ' ' {
			end++
		}
	}
	data = splice(data, start, end, "")
	if i > 0 && i == len(c.items)-1 && removed.comma == 0 {
		data = splice(data, c.items[i-1].comma, c.items[i-1].comma+1, "")
	}
	return data
}

// endsComment reports whether a line break must stay, because it may end a comment, and
// something follows in the line of what is removed.
func endsComment(data []byte, lineBreak, end int) bool {
	rest, _, _ := bytes.Cut(data[end:], []byte("\n"))
	return len(bytes.TrimSpace(rest)) > 0 && bytes.Contains(data[lineStart(data, lineBreak):lineBreak], []byte("//"))
}

// lineEnd returns where the line ends in a part of a text that holds only white space and
// comments: at its first line break outside of a comment, or at its end.
func lineEnd(data []byte, from, to int) int {
	for i := from; i < to; i++ {
		switch {
		case bytes.HasPrefix(data[i:to], []byte("/*")):
			i += 3 + bytes.Index(data[i+2:to], []byte("*/"))
		case bytes.HasPrefix(data[i:to], []byte("\r\n")), data[i] == '\n':
			return i
		}
	}
	return to
}
