package session

import (
	"bytes"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
)

// marshalToolList is rawjson.Marshal for a list of tools, whose schemas encoding/json
// would check and copy once more.
func marshalToolList(r mcp.ListToolsResult) ([]byte, error) {
	tools := r.Tools
	r.Tools = []mcp.Tool{}
	b, err := rawjson.Marshal(r)
	end := []byte("]}") // of "tools", the last member
	if err != nil || !bytes.HasSuffix(b, end) {
		return b, err
	}
	b = bytes.TrimSuffix(b, end)
	for i, tool := range tools {
		text, err := tool.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, text...)
	}
	return append(b, end...), nil
}
