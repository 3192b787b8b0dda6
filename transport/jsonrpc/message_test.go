package jsonrpc

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
	m, refused := Parse([]byte(` {"params":{"_meta":{"progressToken": 9007199254740995 ,"io.modelcontextprotocol\/protocolVersion":"2026-07-28"},"x":[]},` +
		`"id" : 9007199254740993 ,"method":"tools\/call","jsonrpc":"2.0"}` + "\r"))
	if refused != nil {
		t.Fatal(refused.Text)
	}
	if m.Kind != Request || string(m.ID) != "9007199254740993" || m.Method != "tools/call" ||
		string(m.ProgressToken) != "9007199254740995" || !m.IsStateless() || !bytes.HasSuffix(m.Params, []byte(`"x":[]}`)) {
		t.Fatalf("got %+v", m)
	}
	if got := m.WithID("5"); !bytes.HasPrefix(got, []byte(`{"jsonrpc":"2.0","id":"5","method":"tools\/call","params":{"_meta"`)) || !json.Valid(got) {
		t.Fatalf("inner: %s", got)
	}
}

func TestOtherPlacesAreNotTheMessage(t *testing.T) {
	m, refused := Parse([]byte(`{"jsonrpc":"2.0","method":"m","other":{"_meta":{"progressToken":1}},"params":{"arguments":{"_meta":{"progressToken":2},"id":3,"ID":4}}}`))
	if refused != nil || m.Kind != Notification || m.ProgressToken != nil || m.ID != nil {
		t.Fatalf("got %+v, %+v", m, refused)
	}
}

func TestInvalidUTF8(t *testing.T) {
	_, refused := Parse([]byte("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"))
	if refused == nil || refused.Code != mcp.PARSE_ERROR || string(refused.ID) != "1" {
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
		if _, refused := Parse(data); refused != nil {
			t.Errorf("%d keys: %s", n, refused.Text)
		}
		for _, first := range []string{"key0", fmt.Sprintf("key%d", n-1)} {
			twice := strings.Replace(string(data), `"last"`, `"`+first+`"`, 1)
			if _, refused := Parse([]byte(twice)); refused == nil {
				t.Errorf("%d keys: a second %s was accepted", n, first)
			}
		}
	}
}

func TestDeepNestingIsCheap(t *testing.T) {
	data := []byte(`{"jsonrpc":"2.0","params":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `,"id":"x","method":"m"}`)
	_, refused := Parse(data)
	if refused == nil || !strings.Contains(refused.Text, "nested deeper than 64") || string(refused.ID) != `"x"` {
		t.Fatalf("got %+v", refused)
	}
	if n := testing.AllocsPerRun(3, func() { Parse(data) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":-10,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":"a"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}`,
		`{"jsonrpc":"2.0","id":1,"ID":2,"method":"\u006d"}`,
		`{"a":[1,-0.5e+3,true,false,null,"\ud800\n"],"a":{}}`,
		strings.Repeat(`{"params":[`, 40) + strings.Repeat(`]}`, 40),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, refused := Parse(data)
		valid := utf8.Valid(data) && json.Valid(data)
		if refused != nil {
			if valid && refused.Code == mcp.PARSE_ERROR {
				t.Fatal("valid JSON was called invalid")
			}
			if !json.Valid(refused.Encode()) {
				t.Fatalf("answer %s", refused.Encode())
			}
			return
		}
		if m.Kind == Response && m.Result == nil && m.Failure == nil {
			return // malformed, dropped
		}
		if !valid {
			t.Fatal("invalid JSON was accepted")
		}
		sameAsStandard(t, data, m)
	})
}

// sameAsStandard checks that encoding/json reads the message in the same way.
func sameAsStandard(t *testing.T, data []byte, m *Message) {
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
	if m.Kind == Response && !isID(std.ID) {
		std.ID = nil
	}
	if std.JSONRPC != "2.0" || !bytes.Equal(std.ID, m.ID) || std.Method != m.Method || !bytes.Equal(std.Params, m.Params) ||
		!bytes.Equal(std.Result, m.Result) || !bytes.Equal(std.Error, m.Failure) {
		t.Fatalf("encoding/json reads %+v, here %+v", std, m)
	}
	var params struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	if m.Params == nil || json.Unmarshal(m.Params, &params) != nil || isNull(params.Meta["progressToken"]) {
		params.Meta = nil
	}
	if m.Kind != Response && !bytes.Equal(params.Meta["progressToken"], m.ProgressToken) {
		t.Fatalf("encoding/json reads the token %s, here %s", params.Meta["progressToken"], m.ProgressToken)
	}
	if m.Kind == Response {
		return
	}
	again, refused := Parse(m.WithID("1"))
	if refused != nil || again.Method != m.Method || !bytes.Equal(again.Params, m.Params) {
		t.Fatalf("inner message %s: %+v", m.WithID("1"), refused)
	}
	line := EncodeResult(m.ID, []byte("{}"))
	if m.Kind == Request && !bytes.HasPrefix(line, append([]byte(`{"jsonrpc":"2.0","id":`), append(m.ID, ',')...)) {
		t.Fatalf("answer %s", line)
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
				if _, refused := Parse(data); refused != nil {
					b.Fatal(refused.Text)
				}
			}
		})
	}
}

// TestTokens compares what is accepted with what encoding/json accepts.
func TestTokens(t *testing.T) {
	for _, token := range []string{
		`0`, `-0`, `10`, `-1`, `1.5`, `1e3`, `1E+3`, `0.1e-2`, `01`, `-`, `+1`, `1.`, `.5`, `1e`, `1e+`, `0x1`, `1_0`, `NaN`, `-Infinity`,
		`true`, `false`, `null`, `tru`, `True`, `nullx`, `true"x"`,
		`""`, `"a`, `"\n"`, `"\u00e4"`, `"\uD800"`, `"\u12"`, `"\u12g4"`, `"\x"`, `"\`, "\"\t\"", "\"\x7f\"", "\"a\nb\"",
		`[]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[1`, `[}`, `{}`, `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `{"a":1]`,
		``, `,`, `:`, `]`, "\v", "\u00a0",
	} {
		text := []byte(`{"jsonrpc":"2.0","id":1,"method":"m","x":` + token + `}`)
		if _, refused := Parse(text); (refused == nil) != json.Valid(text) {
			t.Errorf("%s: %+v, and encoding/json says %t", text, refused, json.Valid(text))
		}
	}
}

// TestIDs: ids and progress tokens are strings or integers of at most 1,024 bytes.
func TestIDs(t *testing.T) {
	longest := `"` + strings.Repeat("i", maxID-2) + `"`
	for _, tt := range []struct {
		raw     string
		accepts bool
	}{
		{`1`, true}, {`0`, true}, {`-5`, true}, {strings.Repeat("9", maxID), true}, {`""`, true}, {longest, true},
		{`1.0`, false}, {`1e3`, false}, {`-0.5`, false}, {`true`, false}, {`[1]`, false}, {`{"a":1}`, false},
		{`"` + longest[1:len(longest)-1] + `i"`, false}, {strings.Repeat("9", maxID+1), false},
	} {
		shown := tt.raw[:min(len(tt.raw), 20)]
		_, refused := Parse([]byte(`{"jsonrpc":"2.0","method":"ping","id":` + tt.raw + `}`))
		switch {
		case refused == nil != tt.accepts:
			t.Errorf("id %s: got %+v", shown, refused)
		case refused != nil && (refused.ID != nil || !strings.Contains(refused.Text, "id must be a string or an integer of at most 1024 bytes")):
			t.Errorf("id %s is refused with %+v", shown, refused)
		}
		_, refused = Parse([]byte(`{"jsonrpc":"2.0","method":"ping","id":7,"params":{"_meta":{"progressToken":` + tt.raw + `}}}`))
		switch {
		case refused == nil != tt.accepts:
			t.Errorf("progress token %s: got %+v", shown, refused)
		case refused != nil && (string(refused.ID) != "7" || !strings.Contains(refused.Text, "progressToken must be a string or an integer")):
			t.Errorf("progress token %s is refused with %+v", shown, refused)
		}
	}
	m, refused := Parse([]byte(`{"jsonrpc":"2.0","method":"ping","id":7,"params":{"_meta":{"progressToken":null}}}`))
	if refused != nil || m.ProgressToken != nil {
		t.Errorf("a token of null: got %+v, %+v", m, refused)
	}
}
