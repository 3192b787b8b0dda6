package clients

import "strings"

// VS Code asks the person once for what an entry names as ${input:ID}, keeps it in the
// system's keyring, and finds the question in a list beside the servers.
const (
	inputs  = "inputs"
	inputID = "tr-api-key"
)

// keyInput is the question for the API key.
func keyInput() fields {
	return fields{{"type", "promptString"}, {"id", inputID}, {"description", "toolregistry.ai API key"}, {"password", true}}
}

// needsInput reports whether the client asks for the key of a server's entry.
func (c client) needsInput(s Server) bool {
	return strings.Contains(c.key, "input:") && c.keyOf(s) != ""
}

// addInput adds the question to a text, and to its document, unless it is there.
func addInput(text []byte, document map[string]any) ([]byte, error) {
	list, _ := document[inputs].([]any)
	if indexOfInput(list) >= 0 {
		return text, nil
	}
	document[inputs] = append(list, any(keyInput().object()))
	return skipBOM(text, func(data []byte) ([]byte, error) { return appendJSON(data, inputs, keyInput()) })
}

// removeInput removes the question, unless another entry names it, and an empty list.
func removeInput(text []byte, document map[string]any) ([]byte, error) {
	list, isList := document[inputs].([]any)
	i := indexOfInput(list)
	if isList && len(list) == 0 {
		delete(document, inputs)
		return jsonc.unset(text, []string{inputs})
	}
	if i < 0 || names(document, "${input:"+inputID+"}") {
		return text, nil
	}
	document[inputs] = append(append([]any{}, list[:i]...), list[i+1:]...)
	return skipBOM(text, func(data []byte) ([]byte, error) { return dropJSON(data, inputs, i) })
}

// indexOfInput returns which of the questions is that for the key, -1 if none is.
func indexOfInput(list []any) int {
	for i, item := range list {
		if text(object(item)["id"]) == inputID {
			return i
		}
	}
	return -1
}

// names reports whether a string in a value contains a text.
func names(value any, text string) bool {
	switch value := value.(type) {
	case string:
		return strings.Contains(value, text)
	case []any:
		for _, item := range value {
			if names(item, text) {
				return true
			}
		}
	case map[string]any:
		for _, item := range value {
			if names(item, text) {
				return true
			}
		}
	}
	return false
}
