package clients

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// yamlSyntax is how YAML writes an object in one line: as JSON does.
func yamlSyntax() syntax { return jsonSyntax() }

// errNoBlock is the error of YAML that is written as JSON.
var errNoBlock = errors.New("its extensions are written in one line")

// setYAML writes an entry as the first one of a mapping that has a line for each, or in
// its own place. The path has two names.
func setYAML(data []byte, path []string, entry fields) ([]byte, error) {
	m, err := findMapping(data, path)
	if err != nil {
		return nil, err
	}
	end := newline(data)
	text := writeEntry(m.indent, path[1], entry, end)
	switch {
	case m.entry != nil:
		return splice(data, m.entry.start, m.entry.end, fitEnd(data, m.entry.end, text)), nil
	case m.after == 0:
		text = yamlName(path[0]) + ":" + end + text
		if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
			return append(bytes.Clone(data), end+strings.TrimRight(text, "\r\n")...), nil
		}
		return append(bytes.Clone(data), text...), nil
	case m.flow != nil:
		return splice(data, m.flow.start, m.flow.end, end+strings.TrimRight(text, "\r\n")), nil
	case m.after == len(data) && !bytes.HasSuffix(data, []byte("\n")):
		return append(bytes.Clone(data), end+strings.TrimRight(text, "\r\n")...), nil
	}
	return splice(data, m.after, m.after, text), nil
}

// unsetYAML removes an entry, and its mapping if that is empty then.
func unsetYAML(data []byte, path []string) ([]byte, error) {
	m, err := findMapping(data, path)
	if err != nil {
		return nil, err
	}
	if m.entry != nil {
		data = cutLines(data, *m.entry)
		if m, err = findMapping(data, path); err != nil {
			return nil, err
		}
	}
	if m.after != 0 && m.empty {
		data = cutLines(data, block{m.start, m.after})
	}
	return data, nil
}

func writeEntry(indent, name string, entry fields, newline string) string {
	lines := []string{indent + yamlName(name) + ":"}
	for _, field := range entry {
		value := yamlSyntax().inline(field.value)
		if s, ok := field.value.(string); ok {
			value = yamlName(s)
		}
		lines = append(lines, indent+defaultIndent+yamlName(field.name)+": "+value)
	}
	return strings.Join(lines, newline) + newline
}

// yamlName returns a text, in quotes unless it can only be a text.
func yamlName(text string) string {
	words := []string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
	if regexp.MustCompile(`^[A-Za-z/][\w./-]*$`).MatchString(text) && !slices.Contains(words, strings.ToLower(text)) {
		return text
	}
	return quote(text)
}

// mapping is where the servers stand in a text of YAML.
type mapping struct {
	start  int    // of the line with its name
	after  int    // where its first entry is added, 0 if there is no mapping
	empty  bool   // it has no entries
	flow   *block // its {}, if it is written so
	indent string // of its entries
	entry  *block // the entry that is looked for, nil if there is none
}

// findMapping finds the mapping that the first name of a path leads to.
func findMapping(data []byte, path []string) (m mapping, err error) {
	m = mapping{indent: defaultIndent}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return m, err
	}
	if len(document.Content) == 0 {
		return m, nil
	}
	name, value := pair(document.Content[0], path[0])
	if name == nil {
		return m, nil
	}
	lines := lineOffsets(data)
	m.start, m.after, m.empty = lines[name.Line-1], lines[name.Line], len(value.Content) == 0
	switch {
	case value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle != 0:
		at := lines[value.Line-1] + value.Column - 1
		if !m.empty || value.Line != name.Line || !bytes.HasPrefix(data[at:], []byte("{}")) {
			return m, errNoBlock
		}
		m.flow = &block{len(bytes.TrimRight(data[:at], " ")), at + 2}
		return m, nil
	case m.empty:
		return m, nil
	}
	m.indent = strings.Repeat(" ", value.Content[0].Column-1)
	if entry, _ := pair(value, path[1]); entry != nil {
		m.entry = &block{lines[entry.Line-1], endOfEntry(data, lines, entry)}
	}
	return m, nil
}

// pair returns the name and the value of a member of a mapping, nil if there is none.
func pair(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	if mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	for member := range slices.Chunk(mapping.Content, 2) {
		if member[0].Value == name {
			return member[0], member[1]
		}
	}
	return nil, nil
}

// lineOffsets returns where each line begins, and at last the end of the text.
func lineOffsets(data []byte) (offsets []int) {
	offsets = []int{0}
	for i, b := range data {
		if b == '\n' {
			offsets = append(offsets, i+1)
		}
	}
	return append(offsets, len(data))
}

// endOfEntry returns the end of the lines of an entry: those that are indented deeper.
func endOfEntry(data []byte, lines []int, entry *yaml.Node) int {
	end := lines[entry.Line]
	for i := entry.Line; i+1 < len(lines); i++ {
		line := string(data[lines[i]:lines[i+1]])
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(line)-len(strings.TrimLeft(line, " ")) < entry.Column {
			break
		}
		end = lines[i+1]
	}
	return end
}
