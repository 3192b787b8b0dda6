package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// rawText is the value of a flag exactly as it was typed.
type rawText string

// UnmarshalText takes any text.
func (t *rawText) UnmarshalText(text []byte) error {
	*t = rawText(text)
	return nil
}

// readArguments returns the arguments of a tool: those of --args, changed by those of
// --arg, whose values the tool's schema gives a type.
func readArguments(schema mcp.ToolInputSchema, all rawText, single []rawText, stdin io.Reader) (map[string]any, error) {
	args, err := parseObject(string(all), stdin)
	if err != nil {
		return nil, err
	}
	for _, pair := range single {
		name, value, ok := strings.Cut(string(pair), "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usageErrorf("--arg takes NAME=VALUE, such as --arg waitSeconds=30")
		}
		property, known := schema.Properties[name].(map[string]any)
		if !known {
			return nil, usageErrorf("--arg %s: the tool has no such argument; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(schema.Properties)), ", "))
		}
		if args[name], err = typedValue(property, value); err != nil {
			return nil, usageErrorf("--arg %s: %w", name, err)
		}
	}
	return args, nil
}

// parseObject returns the object of --args: JSON, @FILE, - for standard input, or "" for
// none.
func parseObject(text string, stdin io.Reader) (map[string]any, error) {
	args := map[string]any{}
	var data []byte
	var err error
	switch path, isFile := strings.CutPrefix(text, "@"); {
	case text == "":
		return args, nil
	case text == "-":
		data, err = io.ReadAll(io.LimitReader(stdin, maxFile+1))
	case isFile:
		if data, err = readFile(path); err != nil {
			err = unreadableFile("--args", err)
		}
	default:
		data = []byte(text)
	}
	if err != nil {
		return nil, usageError{err}
	}
	if err := json.Unmarshal(data, &args); err != nil || args == nil {
		return nil, usageErrorf("--args takes a JSON object, @FILE with one, or - for standard input: %v", plainJSONError(err))
	}
	return args, nil
}

// plainJSONError returns an error of encoding/json without what it quotes.
func plainJSONError(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the syntax is wrong at byte %d", syntax.Offset)
	}
	return errors.New("it is no object")
}

// typedValue reads a value that a person typed as the type that a schema wants. A list
// is JSON, or items with commas between them.
func typedValue(property map[string]any, value string) (any, error) {
	var parsed any
	switch property["type"] {
	case "integer":
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return nil, errors.New("it must be a whole number")
		}
		return n, nil
	case "boolean":
		on, err := strconv.ParseBool(strings.TrimSpace(value))
		if err != nil {
			return nil, errors.New("it must be true or false")
		}
		return on, nil
	case "array":
		if strings.HasPrefix(strings.TrimSpace(value), "[") {
			if json.Unmarshal([]byte(value), &parsed) != nil {
				return nil, errors.New("it must be a JSON list, or items with commas between them")
			}
			return parsed, nil
		}
		return dropEmpty(strings.Split(value, ",")), nil
	case "string":
		return value, nil
	}
	if json.Unmarshal([]byte(value), &parsed) != nil {
		return nil, errors.New("it must be JSON")
	}
	return parsed, nil
}
