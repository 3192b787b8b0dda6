package streamable

import (
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// refuse answers a request that was not taken. The body is a JSON-RPC error of
// no request, which is what MCP clients read.
func (e *endpoint) refuse(w http.ResponseWriter, status int, text string) {
	e.Logger.Info("request refused", "status", status, "reason", text)
	e.writeError(w, status, mcp.INVALID_REQUEST, text)
}

// refuseMessage answers a message that was not accepted.
func (e *endpoint) refuseMessage(w http.ResponseWriter, refused *jsonrpc.Error) {
	e.Logger.Info("message refused", "id", jsonrpc.Shorten(refused.ID), "code", refused.Code, "reason", refused.Text)
	answer := session.Refusal(refused)
	e.writeResponse(w, statelessStatus(answer), answer.Line)
}

// refuseLimit answers a request beyond a limit.
func (e *endpoint) refuseLimit(w http.ResponseWriter, text string) {
	e.Logger.Info("request refused", "status", http.StatusTooManyRequests, "reason", text)
	w.Header().Set("Retry-After", "1")
	e.writeError(w, http.StatusTooManyRequests, jsonrpc.CodeOverloaded, text+". End some, then send this again.")
}

// refuseStopping answers a request that came during the shutdown.
func (e *endpoint) refuseStopping(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "1")
	e.refuse(w, http.StatusServiceUnavailable, session.ErrShutdown.Error())
}

// writeError writes a JSON-RPC error of no request.
func (e *endpoint) writeError(w http.ResponseWriter, status, code int, text string) {
	refused := jsonrpc.Error{Code: code, Text: text}
	e.writeResponse(w, status, refused.Encode())
}

// writeResponse writes a whole response. An error is ignored: it means that the
// client is gone, which net/http sees too.
func (e *endpoint) writeResponse(w http.ResponseWriter, status int, body []byte) {
	out := deadlineWriter{w: w, timeout: e.WriteTimeout}
	_ = out.writeWhole(status, body)
}

// statefulStatus returns the status of an answer before 2026-07-28: errors of
// calls are 200.
func statefulStatus(a session.Answer) int {
	switch {
	case !a.Refused:
		return http.StatusOK
	case a.Code == jsonrpc.CodeOverloaded:
		return http.StatusTooManyRequests
	}
	return http.StatusBadRequest
}

// statelessStatus returns the status of an answer since 2026-07-28, where
// proxies are to understand errors too (streamable HTTP).
func statelessStatus(a session.Answer) int {
	switch a.Code {
	case mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION,
		mcp.INVALID_REQUEST, mcp.INVALID_PARAMS, mcp.PARSE_ERROR:
		return http.StatusBadRequest
	}
	return statefulStatus(a)
}
