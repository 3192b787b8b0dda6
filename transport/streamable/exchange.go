package streamable

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/session"
)

// exchange is one request to the MCP endpoint and its response.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	caller   string          // an id that is neither logged nor sent
	account  session.Account // that the request counts on
	held     *session.Hold   // the bytes of the request, until it is answered
	bodySize int             // of the body, in bytes
	ctx      context.Context // of its calls; has the values of Identify
	accepts  mediaTypes
}

// mediaTypes are the types of response that a client accepts.
type mediaTypes struct{ json, events bool }

// acceptedTypes reads the Accept headers (RFC 9110 section 12.5.1). Without one,
// or with an empty one, everything is accepted. Weights matter only where they
// are 0.
func acceptedTypes(h http.Header) mediaTypes {
	all := strings.Join(h.Values("Accept"), ",")
	if strings.Trim(all, " \t,") == "" {
		return mediaTypes{json: true, events: true}
	}
	ranges := strings.Split(all, ",")
	return mediaTypes{json: acceptsType(ranges, "application/json"), events: acceptsType(ranges, "text/event-stream")}
}

// acceptsType reports whether media ranges accept a type. The most specific
// range decides.
func acceptsType(ranges []string, want string) bool {
	group, _, _ := strings.Cut(want, "/")
	best, accepts := 0, false
	for _, item := range ranges {
		kind, params, _ := mime.ParseMediaType(item)
		specificity := 0
		switch kind {
		case want:
			specificity = 3
		case group + "/*":
			specificity = 2
		case "*/*", "*": // the latter is sent by old Java libraries
			specificity = 1
		}
		if specificity > best {
			best = specificity
			q, err := strconv.ParseFloat(params["q"], 64)
			accepts = err != nil || q > 0
		}
	}
	return accepts
}

// wrongContentType returns why the body of a request is not taken for JSON, or "".
func wrongContentType(h http.Header) string {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "the body must not be compressed: send it without Content-Encoding"
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "application/json" || len(h.Values("Content-Type")) > 1 {
		return "the body must be JSON: send one header Content-Type: application/json"
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8":
		return ""
	}
	return "the body must be UTF-8: send Content-Type: application/json"
}

// writeTimeout is how long the client of a request may leave a piece unread.
func (e *endpoint) writeTimeout(x *exchange) time.Duration {
	if !x.account.Stranger {
		return e.WriteTimeout
	}
	return min(e.WriteTimeout, e.StrangerTimeout)
}

// newDispatcher returns what brings the messages of a request to mcp-go.
func (e *endpoint) newDispatcher(x *exchange, srv *server.MCPServer, connection *session.Connection) *session.Dispatcher {
	return &session.Dispatcher{
		Server:     srv,
		Log:        e.Logger,
		Connection: connection,
		Admit:      e.quota.AdmitCalls(x.account),
		Calls:      &e.calls,
	}
}

// connectionConfig returns the config of a connection that is sent nothing outside
// its calls.
func (e *endpoint) connectionConfig(x *exchange) session.Config {
	caller, ctx := x.caller, x.ctx // a session outlives the exchange
	account := func() session.Account { return e.accountOf(ctx, caller) }
	return session.Config{
		ElicitationTimeout: e.ElicitationTimeout,
		Watch:              e.quota.LimitWatch(account, e.Watch),
		Tasks:              e.Tasks,
		Skills:             e.Skills,
		WatchTask:          e.quota.LimitWatch(account, e.WatchTask()),
		Counts:             e.Counts,
		Observe:            e.Observe,
	}
}
