package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// newline returns how the lines of a text end.
func newline(data []byte) string {
	if bytes.Contains(data, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// splice returns data with a text in the place of a part.
func splice(data []byte, start, end int, text string) []byte {
	return append(append(append([]byte{}, data[:start]...), text...), data[end:]...)
}

// block is a part of a text, of whole lines.
type block struct{ start, end int }

// cutLines removes whole lines. A file that ends without a line break goes on to do so.
func cutLines(data []byte, b block) []byte {
	line := []byte(newline(data))
	if b.end == len(data) && !bytes.HasSuffix(data, line) && bytes.HasSuffix(data[:b.start], line) {
		b.start -= len(line)
	}
	return splice(data, b.start, b.end, "")
}

// fitEnd returns a text without its line break if it comes to stand where the file ends
// without one.
func fitEnd(data []byte, at int, text string) string {
	if at == len(data) && !bytes.HasSuffix(data, []byte("\n")) {
		return strings.TrimRight(text, "\r\n")
	}
	return text
}

// lineStart returns where the line begins that an offset is in.
func lineStart(data []byte, offset int) int { return bytes.LastIndexByte(data[:offset], '\n') + 1 }

// indentAt returns the white space at the begin of the line that an offset is in.
func indentAt(data []byte, offset int) string {
	line := string(data[lineStart(data, offset):])
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// quote returns a text in the quotes of JSON, which TOML and YAML have too.
func quote(text string) string {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	_ = out.Encode(text) // a string can be encoded
	return strings.TrimSuffix(strings.ReplaceAll(b.String(), "\x7f", `\u007f`), "\n")
}

// syntax is how a format writes objects in one line.
type syntax struct {
	begin, end, colon string
	name              func(string) string
}

// inline returns a value in one line.
func (s syntax) inline(value any) string {
	var items []string
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return quote(value)
	case time.Time:
		return value.Format(time.RFC3339Nano)
	case []string:
		for _, item := range value {
			items = append(items, quote(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []any:
		for _, item := range value {
			items = append(items, s.inline(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		return s.inline(sorted(value))
	case fields:
		if len(value) == 0 {
			return "{}"
		}
		for _, field := range value {
			items = append(items, s.name(field.name)+s.colon+s.inline(field.value))
		}
		return s.begin + strings.Join(items, ", ") + s.end
	case float64:
		number, _ := json.Marshal(value) // no configuration holds infinity
		return string(number)
	}
	return fmt.Sprint(value)
}
