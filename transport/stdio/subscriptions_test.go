package stdio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// TestSubscribeOverStdio: the life of a stateful client's subscription.
func TestSubscribeOverStdio(t *testing.T) {
	ws := fixture.NewWatching()
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: ws.Watch})
	w.hello("2025-06-18", `{}`)
	w.send(fixture.Subscribe("run://a"))
	w.expect(`{"jsonrpc":"2.0","id":"s","result":{}}`)
	changed := fixture.Receive(t, ws.Changed)
	w.send(fixture.Subscribe("run://a")) // again is nothing new
	w.expect(`{"jsonrpc":"2.0","id":"s","result":{}}`)
	changed(map[string]any{"state": "running"})
	w.expect(fixture.Updated("run://a", `{"state":"running"}`))
	changed(nil)
	w.expect(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"run://a"}}`)
	w.send(fixture.Subscribe("run://gone"))
	w.expect(`{"jsonrpc":"2.0","id":"s","error":{"code":-32002,"message":"resource not found","data":{"uri":"run://gone"}}}`)
	w.send(fixture.Unsubscribe("run://a"))
	w.expect(`{"jsonrpc":"2.0","id":"u","result":{}}`)
	if uri := fixture.Receive(t, ws.Stopped); uri != "run://a" {
		t.Fatal(uri)
	}
	changed(map[string]any{"late": true}) // it is not watched any more
	w.send(fixture.Unsubscribe("run://a"), fixture.Subscribe("run://b"), fixture.Subscribe("run://c"))
	for range 3 {
		w.next()
	}
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
	if n := ws.Left(); n != 0 {
		t.Fatalf("%d still watched", n)
	}
}

// TestListenOverStdio: updates of a listen carry its id, and end with it.
func TestListenOverStdio(t *testing.T) {
	ws := fixture.NewWatching()
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: ws.Watch})
	w.send(fixture.Stateless(`7`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://a","run://gone","run://a"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"resourceSubscriptions":["run://a"]}}}`)
	changed := fixture.Receive(t, ws.Changed)
	changed(map[string]any{"n": 1})
	w.expect(fixture.Updated("run://a", `{"io.modelcontextprotocol/subscriptionId":7,"n":1}`))
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	fixture.Receive(t, ws.Stopped)
	w.send(fixture.Stateless(`8`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://gone"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":8},"notifications":{}}}`)
	if got := w.next(); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":8,"result":`) { // nothing is watched, so the listen ends
		t.Fatal(got)
	}
}

// TestListenOfAStatefulClient: it is an unknown method, and the client's
// subscriptions stay.
func TestListenOfAStatefulClient(t *testing.T) {
	ws := fixture.NewWatching()
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: ws.Watch})
	w.hello("2025-06-18", `{}`)
	w.send(fixture.Subscribe("run://a"))
	w.next()
	w.send(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["run://b"]}}}`)
	if got := w.next(); !strings.Contains(got, "-32601") {
		t.Fatal(got)
	}
	fixture.Receive(t, ws.Changed)(map[string]any{"n": 1})
	w.expect(fixture.Updated("run://a", `{"n":1}`))
}

// TestSlowWatch: subscribe and unsubscribe keep their order, and other requests
// do not wait for them.
func TestSlowWatch(t *testing.T) {
	ws := fixture.NewWatching()
	slow := make(chan struct{})
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		<-slow
		return ws.Watch(ctx, uri, changed)
	}})
	w.hello("2025-06-18", `{}`)
	const n = 100
	for i := range n {
		if i%2 == 0 {
			w.send(strings.Replace(fixture.Subscribe("run://a"), `"s"`, strconv.Itoa(i), 1))
		} else {
			w.send(strings.Replace(fixture.Unsubscribe("run://a"), `"u"`, strconv.Itoa(i), 1))
		}
	}
	w.send(fixture.Ping)
	w.expect(`{"jsonrpc":"2.0","id":"p","result":{}}`)
	close(slow)
	for i := range n {
		w.expect(`{"jsonrpc":"2.0","id":` + strconv.Itoa(i) + `,"result":{}}`)
	}
	if ws.Left() != 0 {
		t.Fatal("still watched")
	}
}

// TestCancelledSubscribe: a resource is not watched if the client cancelled the
// subscribe before Watch returned.
func TestCancelledSubscribe(t *testing.T) {
	under := make(chan context.Context)
	end := make(chan struct{})
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(ctx context.Context, _ string, _ func(map[string]any)) (func(), error) {
		under <- ctx
		<-ctx.Done()
		return func() { close(end) }, nil // the client has cancelled already
	}})
	w.hello("2025-06-18", `{}`)
	w.send(fixture.Subscribe("run://a"))
	fixture.Receive(t, under)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s"}}`)
	fixture.Receive(t, end)
}

// listenTo returns a listen on n resources whose URIs begin with name.
func listenTo(id, name string, n int) string {
	uris := make([]string, n)
	for i := range uris {
		uris[i] = name + strconv.Itoa(i)
	}
	text, _ := json.Marshal(uris)
	return fixture.Stateless(id, "subscriptions/listen", `"notifications":{"resourceSubscriptions":`+string(text)+`}`)
}

// acknowledged returns the resources that an acknowledgement names.
func acknowledged(t *testing.T, line string) []string {
	t.Helper()
	var m struct {
		Method string
		Params struct {
			Notifications struct{ ResourceSubscriptions []string }
		}
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.Method != "notifications/subscriptions/acknowledged" {
		t.Fatalf("not an acknowledgement: %v: %s", err, line)
	}
	return m.Params.Notifications.ResourceSubscriptions
}

// TestListenToTooMuch: no more resources are tried than may be watched, even if
// none of them is there.
func TestListenToTooMuch(t *testing.T) {
	var asked atomic.Int64
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(context.Context, string, func(map[string]any)) (func(), error) {
		asked.Add(1)
		return nil, fmt.Errorf("upstream said 404: %w", server.ErrResourceNotFound)
	}})
	w.send(listenTo("1", "run://", 3*1000))
	if got := acknowledged(t, w.next()); len(got) != 0 || asked.Load() != 1000 {
		t.Fatalf("acknowledged %q, asked for %d", got, asked.Load())
	}
}

// TestAcknowledgementComesFirst: it does even if everything changes before it.
func TestAcknowledgementComesFirst(t *testing.T) {
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(_ context.Context, uri string, changed func(map[string]any)) (func(), error) {
		changed(map[string]any{"state": "new"})
		return nil, nil
	}})
	w.send(listenTo("1", "run://", 1000))
	if got := acknowledged(t, w.next()); len(got) != 1000 {
		t.Fatalf("acknowledged %d", len(got))
	}
	told := map[string]bool{}
	for range 1000 {
		line := w.next()
		if told[line] || !strings.Contains(line, `"io.modelcontextprotocol/subscriptionId":1,"state":"new"`) {
			t.Fatal(line)
		}
		told[line] = true
	}
}

// TestRefusedCallerOverStdio: a listen whose caller is refused is answered with the
// reason and without an acknowledgement. A subscription is refused as ever.
func TestRefusedCallerOverStdio(t *testing.T) {
	var asked atomic.Int64
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(context.Context, string, func(map[string]any)) (func(), error) {
		asked.Add(1)
		return nil, &session.RefusedCallerError{Err: errors.New("no such key")}
	}})
	w.send(listenTo("1", "run://", 1000))
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"nothing is watched: no such key"}}`)
	if n := asked.Load(); n > 8 {
		t.Errorf("asked for %d", n)
	}
	w.hello("2025-06-18", `{}`)
	w.send(fixture.Subscribe("run://a"))
	w.expect(`{"jsonrpc":"2.0","id":"s","error":{"code":-32002,"message":"no such key"}}`)
}

// TestPanicOfWatch: the listen is answered, and nothing of it stays watched.
func TestPanicOfWatch(t *testing.T) {
	ws := fixture.NewWatching()
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{Watch: func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		if uri == "run://3" {
			panic("the secret of the panic")
		}
		return ws.Watch(ctx, uri, changed)
	}})
	w.send(listenTo("1", "run://", 20))
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"` + jsonrpc.InternalError + `"}}`)
	if n := ws.Left(); n != 0 {
		t.Fatalf("%d still watched", n)
	}
}
