package testbed

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Wire is a client that sends and receives messages as they are, over stdio. It is for
// what the official client does not speak.
type Wire struct {
	Version      string // of the protocol
	Capabilities string // of the client, as JSON
	// Answer answers a request of the server with a result, as JSON; nil: none comes.
	Answer func(method string, params json.RawMessage) string

	t        testing.TB
	out      io.Writer
	last     int
	received chan Message
	kept     []Message // that nobody has asked for
}

// Message is a message of the server.
type Message struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
}

// wireTimeout is how long a message is waited for.
const wireTimeout = 20 * time.Second

// ConnectWire connects a client of a revision. A stateful one initializes.
func (b *Bed) ConnectWire(version, capabilities string) *Wire {
	b.t.Helper()
	clientIn, clientOut, ended := b.serve()
	b.t.Cleanup(func() {
		clientOut.Close()
		if err := <-ended; err != nil && !strings.Contains(err.Error(), "closed pipe") {
			b.t.Errorf("serving ended with %v", err)
		}
	})
	return NewWire(b.t, clientIn, clientOut, version, capabilities)
}

// NewWire is [Bed.ConnectWire] for a server at the other ends of two pipes, which the
// caller closes.
func NewWire(t testing.TB, in io.Reader, out io.Writer, version, capabilities string) *Wire {
	t.Helper()
	w := &Wire{Version: version, Capabilities: capabilities, t: t, out: out, received: make(chan Message, 10_000)}
	go func() {
		defer close(w.received)
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var m Message
			if json.Unmarshal(lines.Bytes(), &m) == nil {
				w.received <- m
			}
		}
	}()
	if version != Newest {
		w.Call("initialize", fmt.Sprintf(`"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"wire","version":"1"}`, version, capabilities))
		w.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	return w
}

func (w *Wire) send(line string) {
	w.t.Helper()
	if _, err := io.WriteString(w.out, line+"\n"); err != nil {
		w.t.Fatal(err)
	}
}

// Send sends a request with these params, which are the members of an object, and
// returns its id.
func (w *Wire) Send(method, params string) (id int) {
	w.t.Helper()
	w.last++
	if w.Version == Newest {
		params = strings.TrimPrefix(params+`,"_meta":{"io.modelcontextprotocol/protocolVersion":"`+Newest+
			`","io.modelcontextprotocol/clientInfo":{"name":"wire","version":"1"},"io.modelcontextprotocol/clientCapabilities":`+w.Capabilities+`}`, ",")
	}
	w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, w.last, method, params))
	return w.last
}

// Receive waits for the answer to a request. Other messages are kept.
func (w *Wire) Receive(id int) Message {
	w.t.Helper()
	return w.await(func(m Message) bool { return m.Method == "" && string(m.ID) == fmt.Sprint(id) })
}

// Notification waits for a notification, or a request of the server, of a method.
func (w *Wire) Notification(method string) Message {
	w.t.Helper()
	return w.await(func(m Message) bool { return m.Method == method })
}

// await waits for the first message that matches, of those that are kept and those that
// come.
func (w *Wire) await(match func(Message) bool) Message {
	w.t.Helper()
	for i, m := range w.kept {
		if match(m) {
			w.kept = append(w.kept[:i:i], w.kept[i+1:]...)
			return m
		}
	}
	timeUp := time.After(wireTimeout)
	for {
		select {
		case m, more := <-w.received:
			if !more {
				w.t.Fatal("the server is gone")
			}
			if m.Method != "" && m.ID != nil && w.Answer != nil {
				w.Reply(m, w.Answer(m.Method, m.Params))
			}
			if match(m) {
				return m
			}
			w.kept = append(w.kept, m)
		case <-timeUp:
			w.t.Fatalf("nothing came in %s; kept: %+v", wireTimeout, w.kept)
		}
	}
}

// Call sends a request and returns its answer.
func (w *Wire) Call(method, params string) Message {
	w.t.Helper()
	return w.Receive(w.Send(method, params))
}

// Cancel cancels a request, which then gets no answer.
func (w *Wire) Cancel(id int) {
	w.t.Helper()
	w.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, id))
}

// Reply answers a request of the server with a result, as JSON.
func (w *Wire) Reply(request Message, result string) {
	w.t.Helper()
	w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result))
}

// Result sends a request that must succeed, and decodes its result.
func Result[R any](w *Wire, method, params string) R {
	w.t.Helper()
	m := w.Call(method, params)
	if m.Error != nil {
		w.t.Fatalf("%s: %+v", method, *m.Error)
	}
	return decode[R](w.t, string(m.Result))
}
