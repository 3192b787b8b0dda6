package canary

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
)

// recordedServer is the program for one client. It records every byte that the client
// and the log get.
type recordedServer struct {
	human    bool // a person decides, and links to authorise are shown
	connect  func(*testing.T, *sdk.ClientOptions) *sdk.ClientSession
	get      func(t *testing.T, path string) // gets another page than /mcp; does nothing over stdio
	out, log *testbed.Buffer
}

// serveStdio runs the program on pipes, once per connection.
func serveStdio(key, version string, env map[string]string, flags ...string) *recordedServer {
	rs := newRecordedServer()
	rs.connect = func(t *testing.T, options *sdk.ClientOptions) *sdk.ClientSession {
		in, out := rs.runOnPipes(t, key, env, flags...)
		session := connect(t, &sdk.IOTransport{Reader: in, Writer: out}, version, options)
		t.Cleanup(func() { session.Close() })
		return session
	}
	return rs
}

func newRecordedServer() *recordedServer {
	return &recordedServer{out: &testbed.Buffer{}, log: &testbed.Buffer{}, get: func(*testing.T, string) {}}
}

// runOnPipes runs the program until the end of the test, and returns the client's ends
// of its pipes. more is added to the environment.
func (rs *recordedServer) runOnPipes(t *testing.T, key string, more map[string]string, flags ...string) (in io.ReadCloser, out io.WriteCloser) {
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	ended := make(chan int, 1)
	env := map[string]string{"TR_API_KEY": key}
	maps.Copy(env, more)
	go func() {
		ended <- cli.Run(context.Background(), flags, func(name string) string { return env[name] }, serverIn, io.MultiWriter(rs.out, serverOut), rs.log)
		serverOut.Close()
	}()
	t.Cleanup(func() {
		clientOut.Close()
		io.Copy(io.Discard, clientIn)
		if code := <-ended; code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	return clientIn, clientOut
}

// serveHTTP runs the program's http command and records one caller's responses. Its
// metrics are among what seen has.
func serveHTTP(t *testing.T, key, version string, seen *observed, flags ...string) *recordedServer {
	rs := newRecordedServer()
	url := program.ServeHTTP(t, rs.log, seen.env, append(flags[:len(flags):len(flags)], "--metrics", seen.addPage(t))...)
	transport := recordingTransport{program.Headers{"x-api-key": key}, rs.out}
	rs.connect = func(t *testing.T, options *sdk.ClientOptions) *sdk.ClientSession {
		session := connect(t, &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: transport}}, version, options)
		t.Cleanup(func() { session.Close() })
		return session
	}
	rs.get = func(t *testing.T, path string) {
		resp, err := (&http.Client{Transport: transport}).Get(strings.TrimSuffix(url, "/mcp") + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return rs
}

func connect(t *testing.T, transport sdk.Transport, version string, options *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, options).
		Connect(t.Context(), transport, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// recordingTransport is a RoundTripper that records every byte of the responses.
type recordingTransport struct {
	http.RoundTripper
	to io.Writer
}

func (rt recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := rt.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var head bytes.Buffer
	resp.Header.Write(&head)
	rt.to.Write(head.Bytes())
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(resp.Body, rt.to), resp.Body}
	return resp, nil
}

// checkOutput fails the test if the client or the log got a canary. The link with
// which a person authorises an integration is allowed in its own field, unless the
// operator turned such links off.
func (rs *recordedServer) checkOutput(t *testing.T, s *scanner) {
	text := rs.out.String()
	for _, field := range []string{`"url":"https://auth.test/`, `\"url\":\"https://auth.test/`} {
		if rs.human != strings.Contains(text, field) && field[0] == '"' {
			t.Errorf("a link to authorise was shown: %t", !rs.human)
		}
		for rs.human && strings.Contains(text, field) {
			head, tail, _ := strings.Cut(text, field)
			_, tail, _ = strings.Cut(tail, `"`)
			text = head + tail
		}
	}
	for where, text := range map[string]string{"what the client gets": text, "the log": rs.log.String()} {
		s.requireNone(t, where, text)
		if where != "the log" && !strings.Contains(text, "[removed]") {
			t.Errorf("no secret was removed from %s", where)
		}
	}
}
