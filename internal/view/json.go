package view

import (
	"bytes"
	"encoding/json"
)

// JSON writes a value of ours as compact JSON. <, > and & stay as they are:
// nobody puts it into HTML, and escaped they cost six bytes each. It panics on
// what JSON cannot hold.
func JSON(value any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
