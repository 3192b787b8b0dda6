package streamable

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
)

// checkHeaders refuses a request whose headers do not say the same as its body
// (2026-07-28, standard headers): a proxy that reads the headers and a server
// that reads the body must see the same request. mcp-go's own check needs a
// context key that it does not export.
func checkHeaders(h http.Header, m *jsonrpc.Message, srv *server.MCPServer) *jsonrpc.Error {
	refuse := func(code int, err error) *jsonrpc.Error {
		return &jsonrpc.Error{ID: m.ID, Code: code, Text: err.Error()}
	}
	for _, name := range []string{mcp.HeaderProtocolVersion, mcp.HeaderMethod, mcp.HeaderName} {
		if len(h.Values(name)) > 1 {
			return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: name, Reason: "sent more than once"})
		}
	}
	version := h.Get(mcp.HeaderProtocolVersion)
	switch {
	case version == "":
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "missing required header"})
	case m.Version == "":
		return refuse(mcp.INVALID_PARAMS, errors.New("missing or invalid _meta field "+mcp.MetaKeyProtocolVersion))
	case version != m.Version:
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "does not match the _meta field " + mcp.MetaKeyProtocolVersion})
	case jsonrpc.UnknownVersion(version):
		return jsonrpc.UnsupportedVersion(m.ID, version)
	}
	if err := mcp.ValidateStandardHeaders(h.Get, version, mcp.MCPMethod(m.Method), m.Params); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	if err := checkArgumentHeaders(h, m, srv); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err)
	}
	return nil
}

// checkArgumentHeaders does the same for the arguments that a tool wants in
// headers.
func checkArgumentHeaders(h http.Header, m *jsonrpc.Message, srv *server.MCPServer) error {
	var params struct {
		Name string `json:"name"`
	}
	if m.Method != string(mcp.MethodToolsCall) || json.Unmarshal(m.Params, &params) != nil {
		return nil
	}
	tool := srv.GetTool(params.Name)
	if tool == nil {
		return nil
	}
	return mcp.ValidateParamHeadersLookup(func(name string) (string, bool) {
		values := h.Values(name)
		if len(values) == 0 {
			return "", false
		}
		return values[0], true
	}, &tool.Tool, m.Params)
}
