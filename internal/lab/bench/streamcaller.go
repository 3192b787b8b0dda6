package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// streamCaller is a caller of a bridge that answers calls on the stream of a GET. It
// answers their POST with 202.
type streamCaller struct {
	*httpCaller
	stream net.Conn
	lines  *bufio.Scanner // of the stream
}

// openStreamCaller opens a session and its stream.
func openStreamCaller(target *url.URL, op *operation, number int) (*streamCaller, error) {
	post, err := openHTTPCaller(target, statefulVersion, op, number)
	if err != nil {
		return nil, err
	}
	stream, err := net.Dial("tcp", target.Host)
	if err != nil {
		post.close()
		return nil, err
	}
	c := &streamCaller{httpCaller: post, stream: stream}
	if err := c.openStream(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// openStream sends the GET. The bridge sends the head of its response with the first
// message only, so pings are sent until one is answered.
func (c *streamCaller) openStream() error {
	_, err := fmt.Fprintf(c.stream, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nMCP-Protocol-Version: %s\r\nMcp-Session-Id: %s\r\n\r\n",
		c.target.Path, c.target.Host, statefulVersion, c.session)
	if err != nil {
		return err
	}
	in := bufio.NewReader(c.stream)
	for start := time.Now(); time.Since(start) < callTimeout; {
		c.id++
		ping := messageStart + strconv.Itoa(c.id) + `,"method":"ping"}`
		if _, err := c.send([]byte(postHead(c.target.Host, c.target.Path, statefulVersion, c.session, c.op, len(ping)) + ping)); err != nil {
			return err
		}
		if err := c.stream.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := in.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
			continue // the GET came after the ping, or the answer takes longer
		} else if err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		c.lines = bufio.NewScanner(resp.Body)
		c.lines.Buffer(nil, maxLine)
		return nil
	}
	return errors.New("the stream of the session does not answer")
}

func (c *streamCaller) call() (int, error) {
	c.id++
	strconv.AppendInt(c.request[c.idAt:c.idAt], int64(c.id), 10)
	if _, err := c.send(c.request); err != nil {
		return 0, err
	}
	if err := c.stream.SetReadDeadline(time.Now().Add(callTimeout)); err != nil {
		return 0, err
	}
	for c.lines.Scan() {
		answer, isData := bytes.CutPrefix(c.lines.Bytes(), []byte("data: "))
		if !isData {
			continue
		}
		if id, err := idOf(answer); err == nil && id == c.id {
			return len(answer), c.op.checkAnswer(answer)
		}
	}
	return 0, fmt.Errorf("the stream has ended: %w", c.lines.Err())
}

func (c *streamCaller) close() {
	c.stream.Close()
	c.httpCaller.close()
}
