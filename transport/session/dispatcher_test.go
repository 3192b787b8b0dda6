package session

import (
	"context"
	"testing"
	"time"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/jsonrpc"
)

// TestDispatch: a call writes its notifications, then one answer, into its sink.
func TestDispatch(t *testing.T) {
	f := fixture.New(Hooks())
	close(f.Release)
	d := testDispatcher(f, time.Second)
	var out recorder
	d.Dispatch(t.Context(), []byte(fixture.Call("1", "slow", `"t"`)), &out)
	d.Calls.Wait()
	if len(out.lines) != 20 || len(out.answers) != 1 || out.answers[0] != fixture.TextAnswer("1", "done") {
		t.Fatalf("got %+v", out)
	}
	if d.Connection.CallsInFlight() != 0 {
		t.Fatal("a call stayed in flight")
	}
}

// leavingClient is the sink of a client that answers what it is asked and is
// gone before the server is back from asking.
type leavingClient struct {
	recorder
	connection *Connection
	leave      func(*Connection)
}

func (l *leavingClient) WriteRequest([]byte) error {
	m, _ := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`))
	l.connection.questions.deliverResponse(m)
	l.leave(l.connection)
	return nil
}

// TestAnswerBeforeLeaving: the answer counts, however the client left.
func TestAnswerBeforeLeaving(t *testing.T) {
	for name, leave := range map[string]func(*Connection){
		"end of input": func(c *Connection) { c.Drain(ErrClientGone) },
		"session over": func(c *Connection) { c.End(ErrClientGone) },
		"cancelled":    func(c *Connection) { c.cancelCall(&jsonrpc.Message{Params: []byte(`{"requestId":1}`)}) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 { // select picks at random among what has happened already
				f := fixture.New(Hooks())
				d := testDispatcher(f, fixture.Timeout)
				d.Dispatch(t.Context(), []byte(fixture.Call("1", "ask", "")), &leavingClient{connection: d.Connection, leave: leave})
				d.Calls.Wait()
				if got := fixture.Receive(t, f.Asked); got != "accept" {
					t.Fatalf("the answer counted as %s", got)
				}
			}
		})
	}
}

// TestUnanswered: a question that nobody answers is forgotten.
func TestUnanswered(t *testing.T) {
	f := fixture.New(Hooks())
	d := testDispatcher(f, time.Millisecond)
	d.Dispatch(t.Context(), []byte(fixture.Call("1", "ask", "")), &recorder{})
	d.Calls.Wait()
	if got, open := fixture.Receive(t, f.Asked), d.Connection.questions.open; got != "late" || len(open) != 0 {
		t.Errorf("%s; %d questions wait for an answer", got, len(open))
	}
}

// TestCallsOfAnEndedConnection: they are cancelled from the start.
func TestCallsOfAnEndedConnection(t *testing.T) {
	connection := NewConnection(Config{})
	connection.End(ErrShutdown)
	connection.End(ErrClientGone) // the first cause stays
	m, _ := jsonrpc.Parse([]byte(fixture.Ping))
	c, _ := connection.registerCall(t.Context(), m, nil)
	if cause := context.Cause(c.ctx); cause != ErrShutdown {
		t.Fatalf("cause %v", cause)
	}
}
