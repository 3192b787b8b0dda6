package transport

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/mark3labs/mcp-go/mcp"
)

// encode is v as compact JSON on one line. <, > and & stay as they are: no
// message of ours is put into HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// envelope begins an answer: the id goes out as it came in, null if there was none.
func envelope(id json.RawMessage) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	b := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	return append(b, ',')
}

// resultAnswer is the answer that carries a result.
func resultAnswer(id json.RawMessage, result any) ([]byte, error) {
	body, err := encode(result)
	if err != nil {
		return nil, err
	}
	b := append(envelope(id), `"result":`...)
	b = append(b, body...)
	return append(b, '}'), nil
}

// errorAnswer is the answer that carries an error; data may be nil.
func errorAnswer(id json.RawMessage, code int, text string, data any) []byte {
	body, err := encode(mcp.NewJSONRPCErrorDetails(code, text, data))
	if err != nil { // data of a handler that is no JSON
		return errorAnswer(id, mcp.INTERNAL_ERROR, internalError, nil)
	}
	b := append(envelope(id), `"error":`...)
	b = append(b, body...)
	return append(b, '}')
}

// internalError is all that a client gets to know of a fault of ours.
const internalError = "internal error"

// notificationLine is a notification as it goes out on a call: with the
// progress token as the client wrote it, because mcp-go's float64 may have
// altered it, and on a listen with the id of the listen, by which the client
// tells its streams apart (2026-07-28, subscriptions).
func notificationLine(n mcp.JSONRPCNotification, m *message) ([]byte, error) {
	params := make(map[string]any, len(n.Params.AdditionalFields)+1)
	maps.Copy(params, n.Params.AdditionalFields)
	delete(params, "_meta") // as NotificationParams.MarshalJSON does
	meta := n.Params.Meta
	if n.Method == "notifications/progress" && m.progressToken != nil {
		if _, has := params["progressToken"]; has {
			params["progressToken"] = m.progressToken
		}
	}
	if m.listens() {
		meta = maps.Clone(meta)
		if meta == nil {
			meta = make(map[string]any, 1)
		}
		meta[mcp.MetaKeySubscriptionID] = m.id
	}
	if meta != nil {
		params["_meta"] = meta
	}
	return outgoing(nil, n.Method, params)
}

// outgoing is a request (with an id) or a notification (without) of ours.
func outgoing(id any, method string, params any) ([]byte, error) {
	if p, ok := params.(map[string]any); ok && len(p) == 0 {
		params = nil
	}
	return encode(struct {
		JSONRPC string `json:"jsonrpc"`
		ID      any    `json:"id,omitempty"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}{mcp.JSONRPC_VERSION, id, method, params})
}
