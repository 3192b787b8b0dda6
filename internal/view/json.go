package view

import "runs-mcp-server/internal/rawjson"

// JSON returns a value of ours as compact JSON (see [rawjson.Marshal]). It panics
// on what JSON cannot hold.
func JSON(value any) []byte {
	text, err := rawjson.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
