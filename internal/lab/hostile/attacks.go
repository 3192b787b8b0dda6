package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Attack is what a caller with an API key does once. It is the method expression of one
// of the methods in this file. An attack that leaves something open returns at once.
type Attack = func(c *Caller, ctx context.Context, key string)

// statelessVersion is the protocol revision of a listen. The other attacks speak
// 2025-03-26, which has arrays.
const statelessVersion = "2026-07-28"

// longArray is 12 KB, which is too long. array is the longest that is answered, and each
// of its elements is answered with many bytes.
var (
	longArray = listArray(256)
	array     = listArray(32)
)

func listArray(n int) string {
	return "[" + strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"tools/list"},`, n-1) + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`
}

// LeaveSession opens a session and never deletes it.
func (c *Caller) LeaveSession(ctx context.Context, key string) { c.initialize(ctx, key, `{}`) }

// SendArray sends arrays of tools/list in a new session: one that is too long, and the
// longest that is answered.
func (c *Caller) SendArray(ctx context.Context, key string) {
	session := c.initialize(ctx, key, `{}`)
	c.post(ctx, key, session, longArray)
	c.post(ctx, key, session, array)
}

// LeaveArrayUnread sends the latter and does not read the response.
func (c *Caller) LeaveArrayUnread(ctx context.Context, key string) {
	c.leaveUnread(ctx, key, c.initialize(ctx, key, `{}`), array)
}

// SendLargeInitialize sends an initialize of 900 KB.
func (c *Caller) SendLargeInitialize(ctx context.Context, key string) {
	c.initialize(ctx, key, `{"experimental":{"x":{"y":"`+strings.Repeat("z", 900<<10)+`"}}}`)
}

// SendManyValues sends an initialize of 10,000 values.
func (c *Caller) SendManyValues(ctx context.Context, key string) {
	c.initialize(ctx, key, `{"experimental":{"x":{"y":[`+strings.Repeat("0,", 9_990)+`0]}}}`)
}

// CallWithLargeArgument calls a tool with an argument of almost 1 MiB, the limit.
func (c *Caller) CallWithLargeArgument(ctx context.Context, key string) {
	c.call(ctx, key, `"name":"create_run","arguments":{"intent":"`+strings.Repeat("x", 1<<20-400)+`"}`)
}

// CallWithManyValues calls a tool with 400,000 values.
func (c *Caller) CallWithManyValues(ctx context.Context, key string) {
	c.call(ctx, key, `"name":"create_run","arguments":{"intent":[`+strings.Repeat("0,", 400<<10)+`0]}`)
}

// CallWithLargeID calls a tool with a request id of 900 KB.
func (c *Caller) CallWithLargeID(ctx context.Context, key string) {
	c.post(ctx, key, c.initialize(ctx, key, `{}`),
		`{"jsonrpc":"2.0","id":"`+strings.Repeat("x", 900<<10)+`","method":"tools/call","params":{"name":"get_run","arguments":{}}}`)
}

// CallWithLargeToken calls a tool with a progress token of 900 KB.
func (c *Caller) CallWithLargeToken(ctx context.Context, key string) {
	c.call(ctx, key, `"name":"list_runs","arguments":{},"_meta":{"progressToken":"`+strings.Repeat("t", 900<<10)+`"}`)
}

// LeaveCallUnread starts a run, waits for it for 2 s with a progress token of 1,000
// bytes, and does not read the response.
func (c *Caller) LeaveCallUnread(ctx context.Context, key string) {
	c.leaveUnread(ctx, key, c.initialize(ctx, key, `{}`), toolCall(createLongRun(2)+`,"_meta":{"progressToken":"`+strings.Repeat("t", 1000)+`"}`))
}

// LeaveStreamUnread opens the stream of GET of a new session, and does not read it.
func (c *Caller) LeaveStreamUnread(ctx context.Context, key string) {
	c.openStream(ctx, key, c.initialize(ctx, key, `{}`))
}

// LeaveUpdatesUnread is LeaveStreamUnread, and subscribes to a run of 10 s.
func (c *Caller) LeaveUpdatesUnread(ctx context.Context, key string) {
	session := c.initialize(ctx, key, `{}`)
	c.openStream(ctx, key, session)
	c.subscribeToLongRun(ctx, key, session)
}

// HangUpSubscribed opens the stream of GET, subscribes to a run of 10 s, and closes the
// connection of the stream. The session stays.
func (c *Caller) HangUpSubscribed(ctx context.Context, key string) {
	session := c.initialize(ctx, key, `{}`)
	head := fmt.Sprintf("GET /mcp HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\nAccept: text/event-stream\r\nMcp-Session-Id: %s\r\n\r\n", key, session)
	if stream := c.write(ctx, head); stream != nil {
		defer stream.Close()
	}
	c.subscribeToLongRun(ctx, key, session)
}

// ListenToMany asks to watch 1,000 runs that do not exist, in one listen.
func (c *Caller) ListenToMany(ctx context.Context, key string) {
	uris := make([]string, 1000)
	for i := range uris {
		uris[i] = "run://" + uuid.NewString()
	}
	list, _ := json.Marshal(uris)
	headers := map[string]string{"MCP-Protocol-Version": statelessVersion, "Mcp-Method": "subscriptions/listen"}
	c.postWith(ctx, key, headers, `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":`+string(list)+
		`},"_meta":{"io.modelcontextprotocol/protocolVersion":"`+statelessVersion+`","io.modelcontextprotocol/clientCapabilities":{}}}}`)
}

// SubscribeToMany subscribes to 20 runs that do not exist, one after the other.
func (c *Caller) SubscribeToMany(ctx context.Context, key string) {
	session := c.initialize(ctx, key, `{}`)
	for range 20 {
		c.subscribe(ctx, key, session, uuid.NewString())
	}
}

// LeaveBodyOpen sends a body of 1 MiB but for its last byte.
func (c *Caller) LeaveBodyOpen(ctx context.Context, key string) {
	c.open(ctx, key, "POST", fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", 1<<20), strings.Repeat(" ", 1<<20-1))
}

// LeaveHeaderOpen sends a header of 27 KiB that does not end.
func (c *Caller) LeaveHeaderOpen(ctx context.Context, key string) {
	c.open(ctx, key, "POST", "X-Long: "+strings.Repeat("x", 27<<10), "")
}

// LeaveConnectionSilent connects and sends nothing.
func (c *Caller) LeaveConnectionSilent(ctx context.Context, _ string) { c.write(ctx, "") }

// SendBadRequest sends a part of a request, or one that the server must refuse. It waits
// 100 ms for an answer and closes the connection.
func (c *Caller) SendBadRequest(ctx context.Context, key string) {
	head := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nx-api-key: " + key + "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	requests := []string{
		"POST /mcp HT",
		head,
		head + "Content-Length: 1000\r\n\r\n{",
		head + "Content-Length: 3\r\n\r\n{]}",
		head + "Content-Length: 999999999\r\n\r\n",
		head + "Mcp-Session-Id: NONE\r\nContent-Length: 2\r\n\r\n{}",
		strings.Replace(head, "localhost", "evil.test", 1) + "Content-Length: 2\r\n\r\n{}",
		"GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
	}
	if conn := c.write(ctx, requests[rand.IntN(len(requests))]); conn != nil {
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Read(make([]byte, 4096))
	}
}

var runID = regexp.MustCompile(`"runId\\?":\\?"([^"\\]+)`)

// subscribeToLongRun starts a run of 10 s and subscribes to it in a session.
func (c *Caller) subscribeToLongRun(ctx context.Context, key, session string) {
	_, answer := c.post(ctx, key, session, toolCall(createLongRun(0)))
	if m := runID.FindStringSubmatch(answer); m != nil {
		c.subscribe(ctx, key, session, m[1])
	}
}

func (c *Caller) subscribe(ctx context.Context, key, session, runID string) {
	c.post(ctx, key, session, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://`+runID+`"}}`)
}

// createLongRun returns the parameters of a create_run for a run of 10 s.
func createLongRun(waitSeconds int) string {
	return fmt.Sprintf(`"name":"create_run","arguments":{"intent":"hostile","context":"sandbox: steps=100 step_ms=100","waitSeconds":%d}`, waitSeconds)
}

// call calls a tool in a new session.
func (c *Caller) call(ctx context.Context, key, params string) {
	c.post(ctx, key, c.initialize(ctx, key, `{}`), toolCall(params))
}

func toolCall(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + params + `}}`
}

// initialize returns the id of a new session, "" if there is none.
func (c *Caller) initialize(ctx context.Context, key, capabilities string) (session string) {
	header, _ := c.post(ctx, key, "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":`+capabilities+`,"clientInfo":{"name":"x","version":"1"}}}`)
	return header.Get("Mcp-Session-Id")
}

// leaveUnread posts a message and does not read the response.
func (c *Caller) leaveUnread(ctx context.Context, key, session, message string) {
	c.open(ctx, key, "POST", fmt.Sprintf("Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\n", session, len(message)), message)
}

func (c *Caller) openStream(ctx context.Context, key, session string) {
	c.open(ctx, key, "GET", "Accept: text/event-stream\r\nMcp-Session-Id: "+session+"\r\n", "")
}
