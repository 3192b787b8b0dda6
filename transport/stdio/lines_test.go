package stdio

import (
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

const mark = "\ufeff"

// TestByteOrderMark: it is ignored before the first message, and a syntax error
// anywhere else.
func TestByteOrderMark(t *testing.T) {
	const pong, bad = `{"jsonrpc":"2.0","id":"p","result":{}}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: the message is not valid JSON"}}`
	for _, c := range []struct{ name, in, first, second string }{
		{"before the first message", mark + fixture.Ping + "\n" + fixture.Ping, pong, pong},
		{"before a line end", mark + "\r\n" + fixture.Ping + "\n" + fixture.Ping, pong, pong},
		{"before an array", mark + "[]\n" + fixture.Ping, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: an array of messages is accepted in protocol version 2025-03-26 only. Send one message at a time."}}`, pong},
		{"before a later message", fixture.Ping + "\n" + mark + fixture.Ping, pong, bad},
		{"twice", mark + mark + fixture.Ping + "\n" + fixture.Ping, bad, pong},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{})
			w.send(c.in)
			w.expect(c.first)
			w.expect(c.second)
		})
	}
}

// TestRefusedLinesAreAnswered: a request that can't be read is answered with its
// id, if that can be found.
func TestRefusedLinesAreAnswered(t *testing.T) {
	const limit = 1 << 10
	long := `"params":{"name":"echo","arguments":{"text":"` + strings.Repeat("x", 200<<10) + `"}}`
	w := serve(t, fixture.New(session.Hooks()).MCP, session.Options{LineLimit: limit})
	for _, c := range []struct{ name, line, id string }{
		{"too long, the id first", `{"jsonrpc":"2.0","id":7,"method":"tools/call",` + long + `}`, `7`},
		{"too long, the id last", `{"method":"tools/call",` + long + `,"jsonrpc":"2.0","id":"a\"b"}`, `"a\"b"`},
		{"too long, the id last, with blanks", `{"method":"tools/call",` + long + ` , "jsonrpc" : "2.0" , "id" : -15 } `, `-15`},
		{"too long by little", `{"method":"tools/call","params":{"x":"` + strings.Repeat("x", limit) + `"},"id":9}`, `9`},
		{"too long, no id", `{"method":"notifications/x",` + long + `}`, `null`},
		{"too long, the id of something else last", `{"method":"notifications/x","a":"` + strings.Repeat("x", limit) + `","params":{"a":1,"id":7}}`, `null`},
		{"too long, ids that differ", `{"id":1,"method":"tools/call",` + long + `,"id":2}`, `null`},
		{"too long, the id is cut off", `{"method":"x","id":"` + strings.Repeat("7", 200<<10) + `"}`, `null`},
		{"too long, the number is cut off", `{"method":"x","id":` + strings.Repeat("7", 200<<10) + `}`, `null`},
		{"a brace is missing", `{"jsonrpc":"2.0","method":"x","params":{"id":7}`, `null`},
		{"too long a response", `{"jsonrpc":"2.0","id":"server-1","result":{"a":"` + strings.Repeat("x", limit) + `"}}`, `null`},
		{"NaN, the id first", `{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"x":NaN}}`, `8`},
		{"NaN, the id last", `{"method":"tools/call","params":{"x":NaN},"jsonrpc":"2.0","id":8}`, `8`},
		{"a broken response", `{"jsonrpc":"2.0","id":"server-1","result":{"x":NaN}}`, `null`},
		{"bytes that are no UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"\xff\"}", `8`},
		{"an id that is no UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"x\"}", `null`},
		{"no JSON at all", `Content-Length: 40`, `null`},
	} {
		w.send(c.line)
		if got := w.next(); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":`+c.id+`,"error":{"code":-32`) {
			t.Errorf("%s: got %s", c.name, got)
		}
	}
	w.send(fixture.Ping)
	w.expect(`{"jsonrpc":"2.0","id":"p","result":{}}`)
}
