package client_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/client"
)

// wire is a Run API that answers in raw bytes over connections in memory, one
// request on each: net/http's own server would correct what a broken one
// sends, and a real network would take real time.
type wire struct {
	answer func(*http.Request) string // the bytes of an answer, after which the connection ends

	mu       sync.Mutex // guards the rest
	arrived  []string   // method and path of every request
	stranger string     // a host that was dialled and is not the API's
}

// client returns a client of this API alone.
func (w *wire) client(t *testing.T) *client.Client {
	t.Helper()
	base := &http.Transport{DialContext: w.dial}
	c, err := client.New(client.Options{URL: "http://localhost", Transport: base})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		base.CloseIdleConnections()
	})
	return c
}

func (w *wire) dial(_ context.Context, _, address string) (net.Conn, error) {
	if address != "localhost:80" {
		w.mu.Lock()
		w.stranger = address
		w.mu.Unlock()
		return nil, net.ErrClosed
	}
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		r, err := http.ReadRequest(bufio.NewReader(far))
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.mu.Lock()
		w.arrived = append(w.arrived, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		_, _ = io.WriteString(far, w.answer(r)) // the client may have had enough
	}()
	return near, nil
}

// seen returns the requests that arrived, and who else was dialled.
func (w *wire) seen() (arrived []string, stranger string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arrived, w.stranger
}

// unshown stands in every body that is not to be shown.
const unshown = "PRIVATE"

// bodies are what an answer may hold. raw makes the headers and the body of
// one whose contract asks for right.
var bodies = []struct {
	name string
	ok   bool // a 2xx with it is what was asked for
	raw  func(right string) string
}{
	{"right", true, func(right string) string { return sized(len(right), right) }},
	{"html", false, func(string) string { return sized(-1, "<html>"+unshown+"</html>") }},
	{"empty", false, func(string) string { return sized(0, "") }},
	{"cut off", false, func(right string) string { return sized(len(right)+10, half(right)) }},
	{"announced too short", false, func(right string) string { return sized(len(half(right)), half(right)+unshown) }},
	{"announced endless", false, func(right string) string { return sized(1<<50, half(right)) }},
	{"bomb", false, func(string) string { return "Content-Encoding: gzip\r\n" + sized(len(bomb), bomb) }},
	{"wrong types", false, func(string) string {
		return sized(-1, `{"runId":5,"status":{},"runs":"`+unshown+`","events":"","message":{"`+unshown+`":[]}}`)
	}},
}

func half(right string) string { return right[:len(right)*2/3] + unshown }

// sized returns the header that announces a body, and the body. Below zero the
// length is the true one.
func sized(length int, body string) string {
	if length < 0 {
		length = len(body)
	}
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", length, body)
}

// bombSize is what the bomb becomes, in bytes.
const bombSize = 256 << 20

// bomb is a small gzip file of very many bytes that begin like a run, made of
// members that repeat.
var bomb = func() string {
	member := func(text []byte) string {
		var out bytes.Buffer
		zip := gzip.NewWriter(&out)
		_, _ = zip.Write(text)
		_ = zip.Close()
		return out.String()
	}
	return member([]byte(`{"message":"`+unshown)) + strings.Repeat(member(bytes.Repeat([]byte("x"), 1<<20)), bombSize>>20)
}()

const (
	secretContext = "what nobody else may read"
	secretToken   = "token-of-a-link-0123456789"
)

// rightBody is the body that an operation's contract asks for.
func rightBody(op string, status int) string {
	const run = `{"runId":"` + testRun + `","status":"SUCCESS","events":[{"id":1,"event":"start","runStatus":"RUNNING"},{"id":2,"event":"end","runStatus":"SUCCESS"}]}`
	switch {
	case status >= 300:
		sent := map[string]string{"create": secretContext, "approve": secretToken}[op]
		return fmt.Sprintf(`{"statusCode":%d,"message":"%s %s %s","error":"x"}`, status, string(caller.Key), sent, strings.Repeat("ä", 5000))
	case op == "list":
		return "[" + run + "]"
	default:
		return run
	}
}

const oneFrame = "id: 1\nevent: start\ndata: {\"runStatus\":\"RUNNING\"}\n\n"

// answerOf writes what a request of an operation gets.
func answerOf(op string, status int, raw func(string) string, r *http.Request) string {
	if r.URL.Path == "/elsewhere" {
		status = http.StatusOK // or who follows would follow for ever
	}
	contentType, text := "application/json", rightBody(op, status)
	if strings.HasSuffix(r.URL.Path, "/sse") {
		contentType = "text/event-stream"
		if status < 300 {
			text = oneFrame + "id: 2\nevent: end\ndata: {\"runStatus\":\"SUCCESS\"}\n\n"
		}
	}
	location := []string{"http://thief.test/v1/runs", "//thief.test/", "/elsewhere?key=1"}[status%3]
	return fmt.Sprintf("HTTP/1.1 %d X\r\nConnection: close\r\nRetry-After: 2\r\nLocation: %s\r\nContent-Type: %s\r\n%s", status, location, contentType, raw(text))
}
