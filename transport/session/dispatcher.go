package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/rawjson"
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
		if refused == nil && m.Kind == jsonrpc.Request && all.isFull() {
			refused = &jsonrpc.Error{ID: m.ID, Code: jsonrpc.CodeOverloaded, Text: "the answers to this array take more than 256 KiB: send smaller arrays"}
		}
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
	c, refused := d.Connection.registerCall(ctx, m, d.Server)
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
	c, refused := d.Connection.registerCall(ctx, m, d.Server)
	if refused != nil {
		release()
		d.Refuse(refused, out)
		return
	}
	if m.IsStateless() && m.IsListen() {
		c.addSubscriptions()
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

func (d *Dispatcher) executor() executor { return executor{log: d.Log} }

// Refuse answers a message that was not accepted.
func (d *Dispatcher) Refuse(e *jsonrpc.Error, out Sink) {
	d.Log.Info("message refused", "id", jsonrpc.Shorten(e.ID), "code", e.Code, "reason", e.Text)
	writeAnswer(out, Refusal(e))
}

// writeAnswer answers a message that is no call. An error means that the client
// is gone, which the owner of the sink knows.
func writeAnswer(out Sink, a Answer) { _ = out.WriteAnswer(a) }

// executor runs calls against the server.
type executor struct{ log *slog.Logger }

// execute answers one call. It writes the call's notifications until the handler
// has returned, then those that are left, then the answer: mcp-go's own loops
// let the answer overtake them.
func (e executor) execute(c *call, out Sink) {
	answered := false
	defer func() {
		if v := recover(); v != nil { // of a handler's values, which panic when they are encoded
			e.logPanic(c, v)
			if answered {
				return
			}
			c.connection.finishCall(c)
			c.cancel(nil)
			c.closeFinished()
			_ = out.WriteAnswer(c.internalError())
		}
	}()
	w := callWriter{call: c, out: out, log: e.log}
	responses := make(chan mcp.JSONRPCMessage, 1)
	go e.callServer(c, responses)
	response := w.writeUntil(responses)
	// A stateless listen has subscriptions of its own, which end with it. Those of a
	// stateful client belong to its connection and outlive the call.
	if c.message.IsStateless() {
		c.subscriptions.close()
		c.taskSubscriptions.close()
	}
	w.writeBuffered() // what the handler sent before it returned
	c.closeFinished()
	var a Answer
	if c.connection.finishCall(c) {
		a = e.buildAnswer(c, response)
	}
	c.cancel(nil)
	answered = true
	if err := out.WriteAnswer(a); err != nil {
		w.abandonCall(err)
	} else if c.createdTask != "" {
		c.watchCreatedTask()
	}
}

// callServer answers a request about tasks, or lets mcp-go answer, and survives
// whatever a handler does.
func (e executor) callServer(c *call, responses chan<- mcp.JSONRPCMessage) {
	var response mcp.JSONRPCMessage       // stays nil when the handler panics or ends its goroutine
	var observed func(mcp.JSONRPCMessage) // nil: nobody observes the call
	defer func() {
		if v := recover(); v != nil {
			e.logPanic(c, v)
			response = nil
		}
		if observed != nil {
			observed(response)
		}
		responses <- response
	}()
	ctx := c.server.WithContext(c.ctx, c)
	if c.connection.config.Observe != nil && c.message.Kind == jsonrpc.Request {
		ctx, observed = c.observe(ctx)
	}
	if c.tasks != nil && c.concernsTasks() {
		response = c.answerTaskRequest(ctx)
	}
	if c.connection.config.Skills != nil && c.message.IsStateless() && concernsSkills(c.message) {
		response = c.answerSkillRequest(ctx)
	}
	if response == nil {
		response = c.server.HandleMessage(ctx, c.message.WithID(c.innerID))
	}
}

// concernsSkills reports whether a message is about skills, or may be.
func concernsSkills(m *jsonrpc.Message) bool {
	return strings.HasPrefix(m.Method, "skills/") || m.Method == string(mcp.MethodResourcesRead) && bytes.Contains(m.Params, []byte(skillScheme))
}

// buildAnswer returns the answer as it goes out.
func (e executor) buildAnswer(c *call, response mcp.JSONRPCMessage) Answer {
	answered, _ := response.(mcp.JSONRPCResponse)
	if result, ok := answered.Result.(*mcp.CallToolResult); ok && result.ResultType == resultTypeTask {
		response = unwrapTask(c, result)
	}
	switch response := response.(type) {
	case mcp.JSONRPCResponse:
		body, err := marshalResult(tagListenResult(c, response.Result))
		if err == nil {
			return Answer{Line: jsonrpc.EncodeResult(c.message.ID, body)}
		}
		e.log.Error("result is not JSON", "id", c.RequestID(), "method", jsonrpc.Shorten(c.message.Method), "error", err)
	case mcp.JSONRPCError:
		if c.replacement != nil {
			return *c.replacement
		}
		return c.errorAnswer(response.Error.Code, response.Error.Message, response.Error.Data)
	}
	return c.internalError()
}

// tagListenResult sets the id of a listen in its result as the client wrote it.
func tagListenResult(c *call, result any) any {
	if end, ok := result.(mcp.SubscriptionsListenResult); ok {
		end.EnsureResultMeta().SetSubscriptionID(c.message.ID)
		return end
	}
	return result
}

// marshalResult returns a result as JSON on one line.
func marshalResult(result any) ([]byte, error) {
	switch r := result.(type) {
	case *mcp.CallToolResult:
		return marshalToolResult(r)
	case mcp.ListToolsResult:
		return marshalToolList(r)
	}
	return rawjson.Marshal(result)
}

// marshalToolResult is rawjson.Marshal for the usual result of a tool: one text, and the
// same as structured content. encoding/json would check and copy that JSON three times,
// which took a third of a call.
func marshalToolResult(r *mcp.CallToolResult) ([]byte, error) {
	raw, isRaw := r.StructuredContent.(json.RawMessage)
	isUsual := isRaw && len(r.RawStructuredContent)+len(r.InputRequests)+len(r.RequestState) == 0 && len(r.Content) == 1
	if !isUsual || bytes.IndexByte(raw, '\n') >= 0 {
		return rawjson.Marshal(r)
	}
	content, err := rawjson.Marshal(r.Content[0])
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(content)+len(raw)+512), '{')
	if r.Meta != nil {
		meta, err := rawjson.Marshal(r.Meta)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, `"_meta":`...), meta...), ',')
	}
	b = append(append(append(b, `"content":[`...), content...), ']')
	if r.IsError {
		b = append(b, `,"isError":true`...)
	}
	if r.ResultType != "" {
		b = append(append(append(b, `,"resultType":"`...), r.ResultType...), '"')
	}
	b = append(append(b, `,"structuredContent":`...), raw...)
	return append(b, '}'), nil
}

// logPanic logs a panic from a deferred function, with its stack. Of its value
// the log gets the type alone: the value may hold what a client sent.
func (e executor) logPanic(c *call, v any) {
	e.log.Error("panic in a handler", "id", c.RequestID(), "method", jsonrpc.Shorten(c.message.Method),
		"panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
}

// callWriter writes what one call sends before its answer.
type callWriter struct {
	call *call
	out  Sink
	log  *slog.Logger
}

// writeUntil writes what the call sends until its response comes.
func (w *callWriter) writeUntil(responses <-chan mcp.JSONRPCMessage) mcp.JSONRPCMessage {
	for {
		select {
		case n := <-w.call.notifications:
			w.writeNotification(n)
		case r := <-w.call.requests:
			w.writeBuffered() // what the handler sent before it asked
			r.sent <- w.out.WriteRequest(r.line)
		case response := <-responses:
			return response
		}
	}
}

// writeBuffered writes the notifications that are buffered now.
func (w *callWriter) writeBuffered() {
	for range len(w.call.notifications) {
		w.writeNotification(<-w.call.notifications)
	}
}

// writeNotification writes one notification, unless the client cancelled the
// call. Updates of a listen wait for its acknowledgement (call.sendUpdate).
func (w *callWriter) writeNotification(n mcp.JSONRPCNotification) {
	if !errors.Is(context.Cause(w.call.ctx), ErrCancelled) {
		w.sendNotification(n)
	}
	if w.call.acknowledged != nil && n.Method == mcp.MethodNotificationSubscriptionsAcknowledged {
		close(w.call.acknowledged)
	}
}

func (w *callWriter) sendNotification(n mcp.JSONRPCNotification) {
	if len(w.call.taskIDs) > 0 {
		w.call.addTaskIDs(&n)
	}
	line, err := encodeNotification(n, w.call.message)
	if err != nil {
		w.log.Error("notification is not JSON", "id", w.call.RequestID(), "method", jsonrpc.Shorten(n.Method), "error", err)
		return
	}
	if err := w.out.WriteNotification(line); err != nil {
		w.abandonCall(err)
	}
}

// abandonCall cancels the call when its client can't be written to.
func (w *callWriter) abandonCall(err error) {
	if w.call.ctx.Err() == nil {
		w.log.Debug("client can't be written to", "id", w.call.RequestID(), "method", jsonrpc.Shorten(w.call.message.Method), "error", err)
	}
	w.call.cancel(ErrClientGone)
}

// encodeNotification encodes a notification of a call. Progress gets the token
// as the client wrote it, because mcp-go's float64 may have changed it. On a
// listen everything gets the id of the listen, by which the client tells its
// streams apart (2026-07-28, subscriptions).
func encodeNotification(n mcp.JSONRPCNotification, m *jsonrpc.Message) ([]byte, error) {
	params := make(map[string]any, len(n.Params.AdditionalFields)+1)
	maps.Copy(params, n.Params.AdditionalFields)
	delete(params, "_meta") // as NotificationParams.MarshalJSON does
	if _, has := params["progressToken"]; has && m.ProgressToken != nil && n.Method == "notifications/progress" {
		params["progressToken"] = m.ProgressToken
	}
	meta := n.Params.Meta
	if m.IsListen() {
		meta = make(map[string]any, len(n.Params.Meta)+1)
		maps.Copy(meta, n.Params.Meta)
		meta[mcp.MetaKeySubscriptionID] = m.ID
	}
	if meta != nil {
		params["_meta"] = meta
	}
	return jsonrpc.EncodeNotification(n.Method, params)
}
