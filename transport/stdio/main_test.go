package stdio

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testClient is the client's end of a served pair of pipes.
type testClient struct {
	t      *testing.T
	in     *os.File // the client writes here
	lines  chan string
	ended  chan error // what Serve returned
	cancel context.CancelFunc
}

// serve runs Serve over real pipes until the end of the test.
func serve(t *testing.T, srv *server.MCPServer, opts session.Options) *testClient {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &testClient{t: t, in: inW, lines: make(chan string, 100_000), ended: make(chan error, 1), cancel: cancel}
	go func() {
		err := Serve(ctx, srv, inR, outW, opts)
		outW.Close()
		w.ended <- err
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(w.lines)
		s := bufio.NewScanner(outR)
		s.Buffer(nil, 64<<20)
		for s.Scan() {
			w.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		inW.Close()
		<-read
		inR.Close()
		outR.Close()
	})
	return w
}

// send writes lines to the server.
func (w *testClient) send(lines ...string) {
	w.t.Helper()
	if _, err := w.in.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		w.t.Fatal(err)
	}
}

// next returns the server's next line.
func (w *testClient) next() string {
	w.t.Helper()
	select {
	case line, ok := <-w.lines:
		if !ok {
			w.t.Fatal("the output ended")
		}
		return line
	case <-time.After(fixture.Timeout):
		w.t.Fatal("nothing came")
	}
	return ""
}

// expect checks the server's next line.
func (w *testClient) expect(want string) {
	w.t.Helper()
	if got := w.next(); got != want {
		w.t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// finish waits for Serve to return, and returns the lines that came since.
func (w *testClient) finish() (rest []string, err error) {
	w.t.Helper()
	err = fixture.Receive(w.t, w.ended)
	for line := range w.lines {
		rest = append(rest, line)
	}
	return rest, err
}

// hello does the handshake of a stateful revision.
func (w *testClient) hello(version, capabilities string) {
	w.t.Helper()
	w.send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"` + version +
		`","capabilities":` + capabilities + `,"clientInfo":{"name":"old","version":"1"}}}`)
	var got struct {
		Result struct{ ProtocolVersion string }
	}
	if err := json.Unmarshal([]byte(w.next()), &got); err != nil || got.Result.ProtocolVersion != version {
		w.t.Fatalf("negotiated %q, %v; want %q", got.Result.ProtocolVersion, err, version)
	}
	w.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}
