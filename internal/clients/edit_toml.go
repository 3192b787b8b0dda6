package clients

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlSyntax is how TOML writes an object in one line.
func tomlSyntax() syntax { return syntax{"{ ", " }", " = ", tomlName} }

// tomlName returns a name, in quotes if it needs them.
func tomlName(name string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(name) {
		return name
	}
	return quote(name)
}

// setTOML writes an entry as a table: in the place of its table, or at the end.
func setTOML(data []byte, path []string, entry fields) ([]byte, error) {
	blocks, err := findTables(data, path)
	if err != nil {
		return nil, err
	}
	table := writeTable(path, entry, newline(data))
	if len(blocks) > 0 {
		for _, b := range slices.Backward(blocks[1:]) {
			data = cutTable(data, b)
		}
		end := min(blocks[0].end, len(data)) // at the end of a file, its line break may be cut, too
		return splice(data, blocks[0].start, end, fitEnd(data, end, table)), nil
	}
	switch {
	case len(data) == 0:
		return []byte(table), nil
	case !bytes.HasSuffix(data, []byte("\n")): // the file goes on to end without one
		return append(bytes.Clone(data), strings.Repeat(newline(data), 2)+strings.TrimRight(table, "\r\n")...), nil
	}
	return append(bytes.Clone(data), newline(data)+table...), nil
}

// unsetTOML removes the tables of an entry.
func unsetTOML(data []byte, path []string) ([]byte, error) {
	blocks, err := findTables(data, path)
	for _, b := range slices.Backward(blocks) {
		data = cutTable(data, b)
	}
	return data, err
}

func writeTable(path []string, entry fields, newline string) string {
	names := make([]string, len(path))
	for i, name := range path {
		names[i] = tomlName(name)
	}
	lines := []string{"[" + strings.Join(names, ".") + "]"}
	for _, field := range entry {
		lines = append(lines, tomlName(field.name)+" = "+tomlSyntax().inline(field.value))
	}
	return strings.Join(lines, newline) + newline
}

// findTables returns the tables at a path and below it. Comments before the next table
// belong to that.
func findTables(data []byte, path []string) (blocks []block, err error) {
	var parser unstable.Parser
	parser.Reset(data)
	inside := false
	for parser.NextExpression() {
		expression := parser.Expression()
		if expression.Kind != unstable.Table && expression.Kind != unstable.ArrayTable {
			continue
		}
		keys := expression.Key()
		keys.Next() // there is at least one
		start := lineStart(data, int(keys.Node().Raw.Offset))
		names := []string{string(keys.Node().Data)}
		for keys.Next() {
			names = append(names, string(keys.Node().Data))
		}
		if inside {
			blocks[len(blocks)-1].end = start
		}
		if inside = len(names) >= len(path) && slices.Equal(names[:len(path)], path); inside {
			blocks = append(blocks, block{start, len(data)})
		}
	}
	for i := range blocks {
		blocks[i].end = trimTable(data, blocks[i].end)
	}
	return blocks, parser.Error()
}

// trimTable returns the end of a table without the empty lines and comments at its end.
func trimTable(data []byte, end int) int {
	for { // the line with its name is neither
		before := lineStart(data, end-1)
		if line := bytes.TrimSpace(data[before:end]); len(line) > 0 && line[0] != '#' {
			return end
		}
		end = before
	}
}

// cutTable removes a table, and the empty line before it.
func cutTable(data []byte, b block) []byte {
	line := []byte(newline(data))
	if before, ok := bytes.CutSuffix(data[:b.start], line); ok && (len(before) == 0 || before[len(before)-1] == '\n') {
		b.start -= len(line)
	}
	return cutLines(data, b)
}
