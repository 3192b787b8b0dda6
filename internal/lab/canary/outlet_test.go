package canary

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
)

// outlet is where bytes leave the program for one client: the messages to it,
// and the log.
type outlet struct {
	human    bool // who decides, and whether links to authorise are shown
	connect  func(*testing.T, *sdk.ClientOptions) *sdk.ClientSession
	get      func(t *testing.T, path string) // a page that is not MCP's, over HTTP
	out, log *testbed.Buffer
}

// overStdio is the program on pipes. Each connection is a process of its own.
func overStdio(key, version string, flags ...string) *outlet {
	o := &outlet{out: &testbed.Buffer{}, log: &testbed.Buffer{}, get: func(*testing.T, string) {}}
	o.connect = func(t *testing.T, options *sdk.ClientOptions) *sdk.ClientSession {
		serverIn, clientOut := io.Pipe()
		clientIn, serverOut := io.Pipe()
		ended := make(chan int, 1)
		env := map[string]string{"TR_API_KEY": key}
		go func() {
			ended <- cli.Run(context.Background(), flags, func(name string) string { return env[name] }, serverIn, io.MultiWriter(o.out, serverOut), o.log)
			serverOut.Close()
		}()
		session := connected(t, &sdk.IOTransport{Reader: clientIn, Writer: clientOut}, version, options)
		t.Cleanup(func() {
			session.Close()
			clientOut.Close()
			io.Copy(io.Discard, clientIn)
			if code := <-ended; code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
		return session
	}
	return o
}

// overHTTP is the program on HTTP, for one of its callers.
func overHTTP(t *testing.T, key, version string, flags ...string) *outlet {
	o := &outlet{out: &testbed.Buffer{}, log: &testbed.Buffer{}}
	url := program.ServeHTTP(t, o.log, nil, flags...)
	transport := kept{program.Headers{"x-api-key": key}, o.out}
	o.connect = func(t *testing.T, options *sdk.ClientOptions) *sdk.ClientSession {
		session := connected(t, &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: transport}}, version, options)
		t.Cleanup(func() { session.Close() })
		return session
	}
	o.get = func(t *testing.T, path string) {
		resp, err := (&http.Client{Transport: transport}).Get(strings.TrimSuffix(url, "/mcp") + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return o
}

func connected(t *testing.T, transport sdk.Transport, version string, options *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, options).
		Connect(t.Context(), transport, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// kept keeps every byte of the answers.
type kept struct {
	http.RoundTripper
	to io.Writer
}

func (k kept) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := k.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var head bytes.Buffer
	resp.Header.Write(&head)
	k.to.Write(head.Bytes())
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(resp.Body, k.to), resp.Body}
	return resp, nil
}

// check looks for canaries in all that left. The link with which a person
// authorises an integration may stand where it belongs, unless the operator
// said otherwise.
func (o *outlet) check(t *testing.T, s *scanner) {
	text := o.out.String()
	for _, belongs := range []string{`"url":"https://auth.test/`, `\"url\":\"https://auth.test/`} {
		if o.human != strings.Contains(text, belongs) && belongs[0] == '"' {
			t.Errorf("a link to authorise was shown: %t", !o.human)
		}
		for o.human && strings.Contains(text, belongs) {
			head, tail, _ := strings.Cut(text, belongs)
			_, tail, _ = strings.Cut(tail, `"`)
			text = head + tail
		}
	}
	for where, text := range map[string]string{"what the client gets": text, "the log": o.log.String()} {
		s.none(t, where, text)
		if where != "the log" && !strings.Contains(text, "[removed]") {
			t.Errorf("no secret came as far as %s", where)
		}
	}
}
