package jsonrpc

import (
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
)

// EncodeResult returns the answer that carries a result.
func EncodeResult(id json.RawMessage, result any) ([]byte, error) {
	body, err := rawjson.Marshal(result)
	if err != nil {
		return nil, err
	}
	return encodeAnswer(id, "result", body), nil
}

// EncodeRequest returns a request of ours.
func EncodeRequest(id, method string, params any) ([]byte, error) {
	return rawjson.Marshal(outgoing{JSONRPC: mcp.JSONRPC_VERSION, ID: id, Method: method, Params: params})
}

// EncodeNotification returns a notification of ours. Empty params are left out.
func EncodeNotification(method string, params map[string]any) ([]byte, error) {
	n := outgoing{JSONRPC: mcp.JSONRPC_VERSION, Method: method}
	if len(params) > 0 {
		n.Params = params
	}
	return rawjson.Marshal(n)
}

// outgoing is a request or a notification of ours.
type outgoing struct {
	JSONRPC string `json:"jsonrpc"`
	ID      string `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

// encodeAnswer returns an answer. The id goes out as it came in, or as null.
func encodeAnswer(id json.RawMessage, member string, body []byte) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	b := make([]byte, 0, len(id)+len(body)+48)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"`+member+`":`...)
	b = append(b, body...)
	return append(b, '}')
}
