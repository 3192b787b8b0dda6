package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/pelletier/go-toml/v2"
	"github.com/tailscale/hujson"
	"go.yaml.in/yaml/v4"
)

// format is the syntax of a file.
type format string

const (
	jsonc      format = "JSON" // with comments and commas at the end
	tomlFormat format = "TOML"
	yamlFormat format = "YAML"
)

// decode returns a document. An empty file is an empty document. The error says where
// the syntax is wrong, and quotes nothing.
func (f format) decode(data []byte) (document map[string]any, err error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	switch f {
	case tomlFormat:
		err = toml.Unmarshal(data, &document)
	case yamlFormat:
		err = yaml.Unmarshal(data, &document)
	default:
		if isDeep(data) {
			return nil, fmt.Errorf("its JSON is nested more than %d deep", maxDepth)
		}
		var plain []byte
		if plain, err = hujson.Standardize(bytes.Clone(data)); err == nil {
			err = json.Unmarshal(plain, &document)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("it is no valid %s%s", f, place(err))
	}
	return document, nil
}

// maxDepth is how deep JSON may be nested. hujson has no limit: a file in a folder, which
// may be anybody's, would overflow the stack.
const maxDepth = 1000

// isDeep reports whether JSON with comments is nested more than [maxDepth] deep.
func isDeep(data []byte) bool {
	depth := 0
	for len(data) > 0 {
		length := 1
		switch {
		case data[0] == '"':
			length = stringLength(data)
		case bytes.HasPrefix(data, []byte("//")):
			length = lengthUntil(data, "\n")
		case bytes.HasPrefix(data, []byte("/*")):
			length = lengthUntil(data, "*/")
		case data[0] == '[' || data[0] == '{':
			depth++
		case data[0] == ']' || data[0] == '}':
			depth--
		}
		if depth > maxDepth {
			return true
		}
		data = data[length:]
	}
	return false
}

// stringLength returns the length of the JSON string that data begins with, in bytes.
func stringLength(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// lengthUntil returns how many bytes there are up to the end of a text that follows the
// first two bytes.
func lengthUntil(data []byte, end string) int {
	if i := bytes.Index(data[2:], []byte(end)); i >= 0 {
		return 2 + i + len(end)
	}
	return len(data)
}

// place says where a syntax error is, "" if the parser does not tell. The parsers' own
// texts quote the file.
func place(err error) string {
	if failed, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, _ := failed.Position()
		return fmt.Sprintf(" in line %d", row)
	}
	if found := regexp.MustCompile(`\bline:? (\d+)`).FindStringSubmatch(err.Error()); found != nil {
		return " in line " + found[1]
	}
	return ""
}

// object returns a value that is an object, nil for another one.
func object(v any) map[string]any {
	fields, _ := v.(map[string]any)
	return fields
}

// text returns a value that is a string, "" for another one.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// texts returns the strings of a list. A string alone is a list of one.
func texts(v any) []string {
	if s := text(v); s != "" {
		return []string{s}
	}
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		switch item := item.(type) {
		case string:
			out = append(out, item)
		case map[string]any: // Codex: { name = "NAME", source = "local" }
			out = append(out, text(item["name"]))
		default: // YAML reads an argument such as 45 as a number
			out = append(out, fmt.Sprint(item))
		}
	}
	return out
}

// textMap returns the values of an object, as texts.
func textMap(v any) map[string]string {
	out := map[string]string{}
	for name, value := range object(v) {
		if value != nil {
			out[name] = fmt.Sprint(value)
		}
	}
	return out
}
