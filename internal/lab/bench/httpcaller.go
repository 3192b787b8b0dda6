package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// callTimeout bounds the wait for an answer.
const callTimeout = 30 * time.Second

// maxIdle is how long a connection may be idle. Node.js closes one after 5 seconds.
const maxIdle = 2 * time.Second

// caller sends one request after the other.
type caller interface {
	// call sends a request, waits for its answer and checks it. It returns the bytes of
	// the answer.
	call() (int, error)
	close()
}

// httpCaller is a caller with a connection of its own. It writes requests that were
// built before: a client such as net/http would take more processor time than a server.
type httpCaller struct {
	conn    net.Conn
	in      *bufio.Reader
	used    time.Time // when the connection was used last
	op      *operation
	request []byte
	idAt    int // where the id stands in the request; 0 if it has none
	id      int
	answer  bytes.Buffer // of the last request
	session string
	target  *url.URL
}

// idsPerCaller is how many ids a caller has. Callers share no ids: a bridge mixes up the
// answers of sessions that use the same id at the same time.
const idsPerCaller = 1_000_000

// openHTTPCaller opens a caller of an MCP server, with a session if the version has any.
func openHTTPCaller(target *url.URL, version string, op *operation, number int) (*httpCaller, error) {
	c, err := dialHTTPCaller(target, op)
	if err != nil {
		return nil, err
	}
	if version == statefulVersion {
		if err := c.openSession(); err != nil {
			c.close()
			return nil, err
		}
	}
	message := op.toolCall(version)
	head := postHead(target.Host, target.Path, version, c.session, op, len(message))
	c.request, c.idAt, c.id = []byte(head+message), len(head)+len(messageStart), firstID+number*idsPerCaller
	return c, nil
}

// openRESTCaller opens a caller of the API.
func openRESTCaller(target *url.URL, op *operation) (*httpCaller, error) {
	c, err := dialHTTPCaller(target, op)
	if err != nil {
		return nil, err
	}
	c.request = []byte(op.restRequest(target.Host))
	return c, nil
}

func dialHTTPCaller(target *url.URL, op *operation) (*httpCaller, error) {
	conn, err := net.Dial("tcp", target.Host)
	if err != nil {
		return nil, err
	}
	return &httpCaller{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), used: time.Now(), op: op, target: target}, nil
}

// openSession sends initialize and initialized.
func (c *httpCaller) openSession() error {
	send := func(message string) (*http.Response, error) {
		head := postHead(c.target.Host, c.target.Path, statefulVersion, c.session, c.op, len(message))
		return c.send([]byte(head + message))
	}
	resp, err := send(initialize)
	if err != nil {
		return err
	}
	if c.session = resp.Header.Get("Mcp-Session-Id"); c.session == "" {
		return fmt.Errorf("initialize opened no session: %.300q", c.answer.Bytes())
	}
	_, err = send(initialized)
	return err
}

func (c *httpCaller) call() (int, error) {
	if c.idAt > 0 {
		c.id++
		strconv.AppendInt(c.request[c.idAt:c.idAt], int64(c.id), 10)
	}
	if _, err := c.send(c.request); err != nil {
		return 0, err
	}
	return c.answer.Len(), c.op.checkAnswer(c.answer.Bytes())
}

// send sends a request and reads the body of its response into c.answer.
func (c *httpCaller) send(request []byte) (*http.Response, error) {
	if err := c.renew(time.Now()); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	c.answer.Reset()
	if _, err := io.Copy(&c.answer, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("status %s: %.300q", resp.Status, c.answer.Bytes())
	}
	return resp, nil
}

// renew sets the deadline of a request, on a new connection if the old one was idle long.
func (c *httpCaller) renew(now time.Time) error {
	if now.Sub(c.used) > maxIdle {
		conn, err := net.Dial("tcp", c.target.Host)
		if err != nil {
			return err
		}
		c.conn.Close()
		c.conn = conn
		c.in.Reset(conn)
	}
	c.used = now
	return c.conn.SetDeadline(now.Add(callTimeout))
}

// close ends the session and the connection.
func (c *httpCaller) close() {
	if c.session != "" {
		fmt.Fprintf(c.conn, "DELETE %s HTTP/1.1\r\nHost: %s\r\nx-api-key: %s\r\nMCP-Protocol-Version: %s\r\nMcp-Session-Id: %s\r\n\r\n",
			c.target.Path, c.target.Host, apiKey, statefulVersion, c.session)
		if resp, err := http.ReadResponse(c.in, nil); err == nil {
			resp.Body.Close()
		}
	}
	c.conn.Close()
}
