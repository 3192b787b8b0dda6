package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestParsePicksTheMembers(t *testing.T) {
	m, refused := parse([]byte(` {"params":{"_meta":{"progressToken": 1.0 ,"io.modelcontextprotocol\/protocolVersion":"2026-07-28"},"x":[]},` +
		`"id" : 9007199254740993 ,"method":"tools\/call","jsonrpc":"2.0"}` + "\r"))
	if refused != nil {
		t.Fatal(refused.text)
	}
	if m.kind != request || string(m.id) != "9007199254740993" || m.method != "tools/call" ||
		string(m.progressToken) != "1.0" || !m.modern() || !bytes.HasSuffix(m.params, []byte(`"x":[]}`)) {
		t.Fatalf("got %+v", m)
	}
	if got := m.inner("5"); !bytes.HasPrefix(got, []byte(`{"jsonrpc":"2.0","id":"5","method":"tools\/call","params":{"_meta"`)) || !json.Valid(got) {
		t.Fatalf("inner: %s", got)
	}
}

func TestOtherPlacesAreNotTheMessage(t *testing.T) {
	m, refused := parse([]byte(`{"jsonrpc":"2.0","method":"m","other":{"_meta":{"progressToken":1}},"params":{"arguments":{"_meta":{"progressToken":2},"id":3,"ID":4}}}`))
	if refused != nil || m.kind != notification || m.progressToken != nil || m.id != nil {
		t.Fatalf("got %+v, %+v", m, refused)
	}
}

func TestInvalidUTF8(t *testing.T) {
	_, refused := parse([]byte("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"))
	if refused == nil || refused.code != mcp.PARSE_ERROR || string(refused.id) != "1" {
		t.Fatalf("got %+v", refused)
	}
}

// manyKeys is a message with n keys in one object deep inside.
func manyKeys(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"o":{`)
	for i := range n {
		fmt.Fprintf(&b, `"key%d":{"a":1,"b":[true,null,"text"]},`, i)
	}
	b.WriteString(`"last":0}}}}`)
	return b.Bytes()
}

func TestDuplicateAmongManyKeys(t *testing.T) {
	for _, n := range []int{fewKeys - 2, fewKeys - 1, fewKeys, fewKeys + 1, 100} {
		data := manyKeys(n)
		if _, refused := parse(data); refused != nil {
			t.Errorf("%d keys: %s", n, refused.text)
		}
		for _, first := range []string{"key0", fmt.Sprintf("key%d", n-1)} {
			twice := strings.Replace(string(data), `"last"`, `"`+first+`"`, 1)
			if _, refused := parse([]byte(twice)); refused == nil {
				t.Errorf("%d keys: a second %s was accepted", n, first)
			}
		}
	}
}

func TestDeepNestingIsCheap(t *testing.T) {
	data := []byte(`{"jsonrpc":"2.0","params":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `,"id":"x","method":"m"}`)
	_, refused := parse(data)
	if refused == nil || !strings.Contains(refused.text, "nested deeper than 64") || string(refused.id) != `"x"` {
		t.Fatalf("got %+v", refused)
	}
	if n := testing.AllocsPerRun(3, func() { parse(data) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":"a"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`,
		`{"jsonrpc":"2.0","id":1,"ID":2,"method":"\u006d"}`,
		`{"a":[1,-0.5e+3,true,false,null,"\ud800\n"],"a":{}}`,
		strings.Repeat(`{"params":[`, 40) + strings.Repeat(`]}`, 40),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, refused := parse(data)
		valid := utf8.Valid(data) && json.Valid(data)
		if refused != nil {
			if valid && refused.code == mcp.PARSE_ERROR {
				t.Fatal("valid JSON was called invalid")
			}
			if !json.Valid(refused.answer().line) {
				t.Fatalf("answer %s", refused.answer().line)
			}
			return
		}
		if m.kind == response && m.result == nil && m.failure == nil {
			return // malformed, dropped
		}
		if !valid {
			t.Fatal("invalid JSON was accepted")
		}
		sameAsStandard(t, data, m)
	})
}

// sameAsStandard checks that encoding/json reads the message in the same way.
func sameAsStandard(t *testing.T, data []byte, m *message) {
	var std struct {
		JSONRPC string
		ID      json.RawMessage
		Method  string
		Params  json.RawMessage
		Result  json.RawMessage
		Error   json.RawMessage
	}
	if err := json.Unmarshal(data, &std); err != nil {
		t.Fatal(err)
	}
	if string(std.Params) == "null" {
		std.Params = nil
	}
	if m.kind == response && !isID(std.ID) {
		std.ID = nil
	}
	if std.JSONRPC != "2.0" || !bytes.Equal(std.ID, m.id) || std.Method != m.method || !bytes.Equal(std.Params, m.params) ||
		!bytes.Equal(std.Result, m.result) || !bytes.Equal(std.Error, m.failure) {
		t.Fatalf("encoding/json reads %+v, here %+v", std, m)
	}
	var params struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	if m.params != nil && json.Unmarshal(m.params, &params) == nil && !bytes.Equal(params.Meta["progressToken"], m.progressToken) {
		t.Fatalf("encoding/json reads the token %s, here %s", params.Meta["progressToken"], m.progressToken)
	}
	if m.kind == response {
		return
	}
	again, refused := parse(m.inner("1"))
	if refused != nil || again.method != m.method || !bytes.Equal(again.params, m.params) {
		t.Fatalf("inner message %s: %+v", m.inner("1"), refused)
	}
	line, err := resultAnswer(m.id, struct{}{})
	if err != nil || m.kind == request && !bytes.HasPrefix(line, append([]byte(`{"jsonrpc":"2.0","id":`), append(m.id, ',')...)) {
		t.Fatalf("answer %s, %v", line, err)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, data := range map[string][]byte{
		"call":     []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"create_run","arguments":{"prompt":"Summarise the open issues of the week","userId":"u-1"},"_meta":{"progressToken":17}}}`),
		"keys1k":   manyKeys(1_000),
		"keys10k":  manyKeys(10_000),
		"keys100k": manyKeys(100_000),
		"text4MiB": []byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"` + strings.Repeat("text ", 800_000) + `"}}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, refused := parse(data); refused != nil {
					b.Fatal(refused.text)
				}
			}
		})
	}
}

// TestRefusedLinesAreAnswered: a client need not wait for the answer to a message
// that was refused before it could be read.
func TestRefusedLinesAreAnswered(t *testing.T) {
	const limit = 1 << 10
	long := `"params":{"name":"echo","arguments":{"text":"` + strings.Repeat("x", 200<<10) + `"}}`
	w := serve(t, newFixture().srv, Options{LineLimit: limit})
	for _, c := range []struct{ name, line, id string }{
		{"too long, the id first", `{"jsonrpc":"2.0","id":7,"method":"tools/call",` + long + `}`, `7`},
		{"too long, the id last", `{"method":"tools/call",` + long + `,"jsonrpc":"2.0","id":"a\"b"}`, `"a\"b"`},
		{"too long, the id last, with blanks", `{"method":"tools/call",` + long + ` , "jsonrpc" : "2.0" , "id" : -1.5e3 } `, `-1.5e3`},
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
	w.send(ping)
	w.expect(`{"jsonrpc":"2.0","id":"p","result":{}}`)
}
