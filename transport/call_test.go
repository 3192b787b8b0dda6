package transport

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// updated is a notification of a watched resource.
func updated(uri string) mcp.JSONRPCNotification {
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	n.Method = mcp.MethodNotificationResourceUpdated
	n.Params.AdditionalFields = map[string]any{"uri": uri}
	return n
}

func TestListenBeginsWithItsAcknowledgement(t *testing.T) {
	w := serve(t, newFixture().srv, Options{Watch: func(_ context.Context, _ string, changed func(map[string]any)) (func(), error) {
		changed(nil) // before mcp-go acknowledges
		return nil, nil
	}})
	w.send(modern(`9007199254740993`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://early"]}`))
	w.expect(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":9007199254740993},"notifications":{"resourceSubscriptions":["run://early"]}}}`)
	w.expect(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":9007199254740993},"uri":"run://early"}}`)
	w.cancel()
	rest, err := w.finish()
	if err != nil || len(rest) != 1 || !strings.Contains(rest[0], `"io.modelcontextprotocol/subscriptionId":9007199254740993}`) ||
		!strings.HasPrefix(rest[0], `{"jsonrpc":"2.0","id":9007199254740993,"result":`) {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestCancelledListenGetsNoAnswer(t *testing.T) {
	w := serve(t, newFixture().srv, Options{})
	w.send(modern(`"l"`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://there"]}`))
	w.next()
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}`)
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestCancelledCallFallsSilent(t *testing.T) {
	f := newFixture()
	f.srv.AddTool(mcp.NewTool("chatter"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.waiting <- struct{}{}
		<-ctx.Done()
		for range 3 {
			server.ClientSessionFromContext(ctx).NotificationChannel() <- updated("run://late")
		}
		return mcp.NewToolResultText(""), nil
	})
	w := serve(t, f.srv, Options{})
	w.send(toolCall("1", "chatter", ""))
	receive(t, f.waiting)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	w.in.Close()
	if rest, err := w.finish(); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v", rest, err)
	}
}

func TestElicitationAfterTheHandlerReturned(t *testing.T) {
	f := newFixture()
	f.srv.AddTool(mcp.NewTool("stray"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		go func() {
			<-f.release
			_, err := f.ask(context.WithoutCancel(ctx), r)
			f.late <- err
		}()
		return mcp.NewToolResultText(""), nil
	})
	w := serve(t, f.srv, Options{})
	w.hello("2025-06-18", `{"elicitation":{}}`)
	w.send(toolCall("1", "stray", ""))
	w.expect(textAnswer("1", ""))
	close(f.release)
	w.next() // the question, which nobody answers
	w.in.Close()
	w.expect(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"the answer is no longer needed","requestId":"server-1"}}`)
	if got := receive(t, f.asked); got != "withdrawn" {
		t.Fatal(got)
	}
}

// TestElicitationThatOutlivesItsHandler is answered all the same.
func TestElicitationThatOutlivesItsHandler(t *testing.T) {
	f := newFixture()
	f.srv.AddTool(mcp.NewTool("stray"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		go func() {
			_, err := f.ask(context.WithoutCancel(ctx), r)
			f.late <- err
		}()
		<-f.release
		return mcp.NewToolResultText(""), nil
	})
	w := serve(t, f.srv, Options{})
	w.hello("2025-06-18", `{"elicitation":{}}`)
	w.send(toolCall("1", "stray", ""))
	w.next() // the question
	close(f.release)
	w.expect(textAnswer("1", ""))
	w.send(`{"jsonrpc":"2.0","id":"server-1","result":{"action":"decline"}}`, `{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`)
	if got := receive(t, f.asked); got != "decline" {
		t.Fatal(got)
	}
	if err := receive(t, f.late); err != nil {
		t.Fatal(err)
	}
}

func TestBatchAnswersTogether(t *testing.T) {
	f := newFixture()
	w := serve(t, f.srv, Options{})
	w.hello("2025-03-26", `{}`)
	w.send("[" + toolCall("1", "slow", "1") + "," + toolCall("2", "wait", "") + `,{"jsonrpc":"2.0","id":3,"method":"ping"}]`)
	receive(t, f.waiting)
	receive(t, f.waiting)
	w.send(`{"jsonrpc":"2.0","id":4,"method":"ping"}`) // a batch holds up nobody
	w.expect(`{"jsonrpc":"2.0","id":4,"result":{}}`)
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
	receive(t, f.causes)
	close(f.release)
	for range 20 { // progress does not wait for the others
		if got := w.next(); !strings.Contains(got, "notifications/progress") {
			t.Fatal(got)
		}
	}
	w.expect("[" + `{"jsonrpc":"2.0","id":3,"result":{}},` + textAnswer("1", "done") + "]")
}

func TestResultThatIsNoJSON(t *testing.T) {
	f := newFixture()
	f.srv.AddTool(mcp.NewTool("bad"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{StructuredContent: func() {}}, nil
	})
	w := serve(t, f.srv, Options{})
	w.send(toolCall("1", "bad", ""))
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`)
}

// recorded is a sink as HTTP will have one.
type recorded struct {
	sent    []string
	answers []string
}

func (r *recorded) send(line []byte) error { r.sent = append(r.sent, string(line)); return nil }
func (r *recorded) ask(line []byte) error  { return r.send(line) }
func (r *recorded) answer(a answer) error  { r.answers = append(r.answers, string(a.line)); return nil }

func TestACallNeedsOnlyASink(t *testing.T) {
	f := newFixture()
	close(f.release)
	d := dispatcher{
		runner: runner{srv: f.srv, log: slog.New(slog.DiscardHandler)},
		peer:   newPeer(Options{ElicitationTimeout: time.Second}, nil, nil),
		enter:  slots(1),
		calls:  new(sync.WaitGroup),
	}
	var out recorded
	d.data(t.Context(), []byte(toolCall("1", "slow", `"t"`)), &out)
	d.calls.Wait()
	if len(out.sent) != 20 || len(out.answers) != 1 || out.answers[0] != textAnswer("1", "done") {
		t.Fatalf("got %+v", out)
	}
	if d.peer.inFlight() != 0 {
		t.Fatal("a call stayed in flight")
	}
}

// hasty is a client that answers what it is asked and is gone before the
// server is back from asking.
type hasty struct {
	recorded
	peer  *peer
	leave func()
}

func (h *hasty) ask([]byte) error {
	m, _ := parse([]byte(`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`))
	h.peer.deliver(m)
	h.leave()
	return nil
}

// TestAnswerBeforeLeaving counts, however the client left.
func TestAnswerBeforeLeaving(t *testing.T) {
	for name, leave := range map[string]func(*peer){
		"end of input": func(p *peer) { p.drain(ErrClientGone) },
		"session over": func(p *peer) { p.end(ErrClientGone) },
		"cancelled":    func(p *peer) { p.cancel(&message{params: []byte(`{"requestId":1}`)}) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 { // the order of what has happened already is random
				f := newFixture()
				p := newPeer(Options{ElicitationTimeout: patience}, nil, nil)
				p.client.SetClientCapabilities(mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}})
				d := dispatcher{runner: runner{srv: f.srv, log: slog.New(slog.DiscardHandler)}, peer: p, enter: slots(1), calls: new(sync.WaitGroup)}
				d.data(t.Context(), []byte(toolCall("1", "ask", "")), &hasty{peer: p, leave: func() { leave(p) }})
				d.calls.Wait()
				if got := receive(t, f.asked); got != "accept" {
					t.Fatalf("the answer counted as %s", got)
				}
			}
		})
	}
}

// TestUnanswered leaves nothing behind.
func TestUnanswered(t *testing.T) {
	f := newFixture()
	p := newPeer(Options{ElicitationTimeout: time.Millisecond}, nil, nil)
	p.client.SetClientCapabilities(mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}})
	d := dispatcher{runner: runner{srv: f.srv, log: slog.New(slog.DiscardHandler)}, peer: p, enter: slots(1), calls: new(sync.WaitGroup)}
	d.data(t.Context(), []byte(toolCall("1", "ask", "")), &recorded{})
	d.calls.Wait()
	if got := receive(t, f.asked); got != "late" || len(p.asked) != 0 {
		t.Errorf("%s; %d questions wait for an answer", got, len(p.asked))
	}
}

// TestModes: an empty capability means forms alone.
func TestModes(t *testing.T) {
	yes := &struct{}{}
	for _, tt := range []struct {
		can       *mcp.ElicitationCapability
		form, url bool
	}{
		{nil, false, false},
		{&mcp.ElicitationCapability{}, true, false},
		{&mcp.ElicitationCapability{Form: yes}, true, false},
		{&mcp.ElicitationCapability{URL: yes}, false, true},
		{&mcp.ElicitationCapability{Form: yes, URL: yes}, true, true},
	} {
		can := mcp.ClientCapabilities{Elicitation: tt.can}
		if form, url := canElicit(can, mcp.ElicitationModeForm), canElicit(can, mcp.ElicitationModeURL); form != tt.form || url != tt.url || canElicit(can, "") != tt.form {
			t.Errorf("%+v: form %t, url %t", tt.can, form, url)
		}
	}
}
