package view

import "runs-mcp-server/internal/rawjson"

// JSON returns a value of this program's types as compact JSON (see
// [rawjson.Marshal]). It panics if JSON cannot hold the value.
func JSON(value any) []byte {
	text, err := rawjson.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
