package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"runs-mcp-server/internal/loopback"
)

// initialize is a message that every MCP server answers, or refuses without a key.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"runs-mcp-server doctor","version":"1"}}}`

// checkURL checks that this server answers at an entry's URL. It sends no key. It returns
// what the entry does, if nothing is wrong.
func (c *entryCheck) checkURL(ctx context.Context) (found string) {
	if strings.ContainsAny(c.URL, "${") {
		return "connects to a URL with a variable, which is not checked"
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.report(Failed, "has a URL that is none", "Write one such as https://mcp.example.com/mcp.")
		return ""
	}
	shown := u.Scheme + "://" + u.Host + u.Path
	if u.Scheme == "http" && !loopback.Host(u.Hostname()) {
		c.report(Warning, "connects to "+shown+" without TLS: everybody on the way can read the API key", "Put TLS in front of the server and write https.")
	}
	status, body, err := postInitialize(ctx, c.URL)
	switch {
	case err != nil:
		c.report(Failed, fmt.Sprintf("connects to %s, which cannot be reached: %s", shown, cause(err)), "Start the server there, or correct the URL.")
	case status == http.StatusUnauthorized && strings.Contains(body, "x-api-key"), status == http.StatusOK:
	case status == http.StatusForbidden:
		c.report(Failed, "connects to "+shown+", which refuses this host (403)", "Start the server with --allowed-hosts "+u.Hostname()+".")
	case status == http.StatusNotFound:
		c.report(Failed, "connects to "+shown+", where there is no MCP (404)", "The URL ends with /mcp, after the server's --path-prefix.")
	default:
		c.report(Warning, fmt.Sprintf("connects to %s, which answers %d and not as this server does", shown, status), "Check the URL.")
	}
	return "connects to " + shown
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4 << 10

// postInitialize sends the initialize message to a URL and returns the answer.
func postInitialize(ctx context.Context, address string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader([]byte(initialize)))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	transport.DisableKeepAlives = true
	following := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := following.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, string(answer), nil
}

// cause returns an error without the URL, which may hold a secret.
func cause(err error) string {
	if quoting, ok := err.(*url.Error); ok {
		err = quoting.Err
	}
	return err.Error()
}
