package rawjson

import (
	"bytes"
	"encoding/json"
)

// Marshal returns a value as compact JSON on one line. Unlike [json.Marshal] it
// does not escape <, > and &: none of our JSON is put into HTML, and the escapes
// take six bytes each.
func Marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
