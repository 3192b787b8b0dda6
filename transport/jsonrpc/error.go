package jsonrpc

import (
	"encoding/json"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/internal/rawjson"
)

// CodeOverloaded is the code of an error that says that a limit is reached or
// the server stops. It is the first code that JSON-RPC leaves to
// implementations; 2026-07-28 keeps -32000 to -32019 free for them.
const CodeOverloaded = -32000

// InternalError is all that a client learns of a fault of ours.
const InternalError = "internal error"

// Error is the error that a message is answered with.
type Error struct {
	ID   json.RawMessage // of the message; nil if it could not be found
	Code int
	Text string // what rule was broken; never a value of the client
	Data any    // may be nil
}

// Encode returns the answer that carries the error.
func (e *Error) Encode() []byte {
	body, err := rawjson.Marshal(mcp.NewJSONRPCErrorDetails(e.Code, e.Text, e.Data))
	if err != nil { // a handler's data that is no JSON
		internal := Error{ID: e.ID, Code: mcp.INTERNAL_ERROR, Text: InternalError}
		return internal.Encode()
	}
	return encodeAnswer(e.ID, "error", body)
}

// InvalidRequest returns the error for a message that is JSON but breaks a rule.
func InvalidRequest(id json.RawMessage, text string) *Error {
	return &Error{ID: id, Code: mcp.INVALID_REQUEST, Text: "invalid request: " + text}
}

// UnknownVersion reports whether a client names a revision of MCP that this
// server does not speak. "" names none.
func UnknownVersion(version string) bool {
	return version != "" && !mcp.IsValidProtocolVersion(version)
}

// UnsupportedVersion returns the error for a revision that this server does not
// speak. It lists those that it speaks.
func UnsupportedVersion(id json.RawMessage, version string) *Error {
	e := mcp.UnsupportedProtocolVersionError{Version: Shorten(version), Supported: mcp.ValidProtocolVersions}.JSONRPCError().Error
	text := "unsupported protocol version: this server speaks " + strings.Join(mcp.ValidProtocolVersions, ", ")
	return &Error{ID: id, Code: e.Code, Text: text, Data: e.Data}
}

// Shorten returns at most 64 bytes of what a client may make as long as it
// likes, for the log.
func Shorten[T ~string | ~[]byte](s T) string {
	if len(s) > 64 {
		return string(s[:64]) + "…"
	}
	return string(s)
}
