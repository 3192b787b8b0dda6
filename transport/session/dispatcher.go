package session

import (
	"context"
	"log/slog"
	"strconv"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
)

// Dispatcher answers the messages of one connection or starts calls for them, in
// the order in which they came. It is used by one goroutine.
type Dispatcher struct {
	Server     *server.MCPServer
	Log        *slog.Logger
	Connection *Connection
	Admit      Admit           // one place for each call that runs in a goroutine
	Calls      *sync.WaitGroup // those goroutines
	Stopping   bool            // the server is about to stop: new calls are refused
}

// Admit reserves a place for a call until release is called. If there is none,
// limitReached says which limit was reached.
type Admit func() (release func(), limitReached string)

// AdmitUpTo returns an Admit with n places.
func AdmitUpTo(n int) Admit {
	places := make(chan struct{}, n)
	return func() (release func(), limitReached string) {
		select {
		case places <- struct{}{}:
			return func() { <-places }, ""
		default:
			return nil, "the limit is " + strconv.Itoa(n)
		}
	}
}

// Dispatch takes one message or array of messages. When it returns, everything
// is done that must be done in order. Every message gets its one answer, maybe
// nil, into out.
func (d *Dispatcher) Dispatch(ctx context.Context, data []byte, out Sink) {
	if !jsonrpc.IsBatch(data) {
		m, refused := jsonrpc.Parse(data)
		d.dispatchParsed(ctx, m, refused, out)
		return
	}
	elements, refused := jsonrpc.SplitBatch(data, d.Connection.ProtocolVersion())
	if refused != nil {
		d.Refuse(refused, out)
		return
	}
	all := &batchSink{Sink: out, missing: len(elements)}
	for _, element := range elements {
		m, refused := jsonrpc.ParseElement(element)
		d.dispatchParsed(ctx, m, refused, all)
	}
}

// dispatchParsed takes a message, or refuses it with the error of its parsing.
func (d *Dispatcher) dispatchParsed(ctx context.Context, m *jsonrpc.Message, refused *jsonrpc.Error, out Sink) {
	if refused != nil {
		d.Refuse(refused, out)
		return
	}
	d.DispatchMessage(ctx, m, out)
}

// DispatchMessage takes one message that is parsed.
func (d *Dispatcher) DispatchMessage(ctx context.Context, m *jsonrpc.Message, out Sink) {
	switch {
	case m.Kind == jsonrpc.Response:
		d.Connection.questions.deliverResponse(m)
		writeAnswer(out, Answer{})
	case m.Kind == jsonrpc.Notification && m.Method == string(mcp.MethodNotificationCancelled):
		d.Connection.cancelCall(m)
		writeAnswer(out, Answer{})
	case m.Kind == jsonrpc.Request && d.Stopping && m.Method != string(mcp.MethodPing):
		d.Refuse(&jsonrpc.Error{ID: m.ID, Code: jsonrpc.CodeOverloaded, Text: ErrShutdown.Error() + ": start it again, then send this again"}, out)
	case m.Kind == jsonrpc.Request && jsonrpc.UnknownVersion(m.Version):
		d.Refuse(jsonrpc.UnsupportedVersion(m.ID, m.Version), out)
	case m.Kind == jsonrpc.Request && !isQuick(m.Method):
		d.startCall(ctx, m, out)
	default:
		d.runCall(ctx, m, out)
	}
}

// isQuick reports whether a request is answered before the next message is
// looked at: those that change what later ones mean, and those that never wait.
// resources/list is not quick, because a hook may ask the API.
func isQuick(method string) bool {
	switch mcp.MCPMethod(method) {
	case mcp.MethodInitialize, mcp.MethodPing, mcp.MethodServerDiscover, mcp.MethodSetLogLevel,
		mcp.MethodToolsList, mcp.MethodPromptsList, mcp.MethodResourcesTemplatesList:
		return true
	}
	return false
}

// runCall runs a quick request or a notification.
func (d *Dispatcher) runCall(ctx context.Context, m *jsonrpc.Message, out Sink) {
	c, refused := d.Connection.registerCall(ctx, m)
	if refused != nil {
		d.Refuse(refused, out)
		return
	}
	d.executor().execute(c, out)
}

// startCall runs a request in a goroutine, if there is room for one more.
func (d *Dispatcher) startCall(ctx context.Context, m *jsonrpc.Message, out Sink) {
	release, limitReached := d.Admit()
	if limitReached != "" {
		d.Refuse(&jsonrpc.Error{ID: m.ID, Code: jsonrpc.CodeOverloaded, Text: "too many calls in flight: " + limitReached +
			". Wait for one to be answered or cancel one, then send this again."}, out)
		return
	}
	c, refused := d.Connection.registerCall(ctx, m)
	if refused != nil {
		release()
		d.Refuse(refused, out)
		return
	}
	run := func() { d.executor().execute(c, out) }
	switch mcp.MCPMethod(m.Method) {
	case mcp.MethodResourcesSubscribe, mcp.MethodResourcesUnsubscribe:
		run = d.Connection.inOrder(run)
	}
	d.Calls.Go(func() {
		defer release()
		run()
	})
}

func (d *Dispatcher) executor() executor { return executor{server: d.Server, log: d.Log} }

// Refuse answers a message that was not accepted.
func (d *Dispatcher) Refuse(e *jsonrpc.Error, out Sink) {
	d.Log.Info("message refused", "id", jsonrpc.Shorten(e.ID), "code", e.Code, "reason", e.Text)
	writeAnswer(out, Refusal(e))
}

// writeAnswer answers a message that is no call. An error means that the client
// is gone, which the owner of the sink knows.
func writeAnswer(out Sink, a Answer) { _ = out.WriteAnswer(a) }
