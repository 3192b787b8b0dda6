package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// maxLine is the longest answer that is read over stdio, in bytes.
const maxLine = 4 << 20

// pipes is a session over stdio, which callers share. Callers may send at the same time.
type pipes struct {
	in  io.WriteCloser
	out *bufio.Scanner

	mu      sync.Mutex          // guards the fields below, and writes to in
	lastID  int                 // of the last request
	waiting map[int]chan []byte // the callers whose answers are due, by id
	err     error               // why no more answers come
}

// openPipes opens the session on a server's pipes.
func openPipes(in io.WriteCloser, out io.Reader) (*pipes, error) {
	p := &pipes{in: in, out: bufio.NewScanner(out), lastID: firstID, waiting: map[int]chan []byte{}}
	p.out.Buffer(nil, maxLine)
	if _, err := io.WriteString(in, initialize+"\n"); err != nil {
		return nil, err
	}
	if !p.out.Scan() {
		return nil, fmt.Errorf("no answer to initialize: %w", p.out.Err())
	}
	if _, err := io.WriteString(in, initialized+"\n"); err != nil {
		return nil, err
	}
	go p.readAnswers() // ends when the server closes its output
	return p, nil
}

// readAnswers hands every answer to its caller.
func (p *pipes) readAnswers() {
	err := io.EOF
	for p.out.Scan() {
		id, err := idOf(p.out.Bytes())
		if err != nil {
			continue // a notification
		}
		p.mu.Lock()
		answer := p.waiting[id]
		delete(p.waiting, id)
		p.mu.Unlock()
		if answer != nil {
			answer <- append([]byte(nil), p.out.Bytes()...)
		}
	}
	if p.out.Err() != nil {
		err = p.out.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	for _, answer := range p.waiting {
		close(answer)
	}
}

// stdioCaller is one of the callers that share the pipes.
type stdioCaller struct {
	pipes   *pipes
	op      *operation
	request []byte
	answer  chan []byte // has room for the one answer that is due
}

func newStdioCaller(p *pipes, op *operation) *stdioCaller {
	return &stdioCaller{p, op, []byte(op.toolCall(statefulVersion) + "\n"), make(chan []byte, 1)}
}

func (c *stdioCaller) call() (int, error) {
	if err := c.pipes.sendRequest(c.request, c.answer); err != nil {
		return 0, err
	}
	select {
	case answer, ok := <-c.answer:
		if !ok {
			return 0, fmt.Errorf("the server closed its output")
		}
		return len(answer), c.op.checkAnswer(answer)
	case <-time.After(callTimeout):
		return 0, fmt.Errorf("no answer in %s", callTimeout)
	}
}

func (c *stdioCaller) close() {}

// sendRequest writes a request with the next id. Its answer goes to the channel.
func (p *pipes) sendRequest(request []byte, answer chan []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.lastID++
	strconv.AppendInt(request[len(messageStart):len(messageStart)], int64(p.lastID), 10)
	p.waiting[p.lastID] = answer
	_, err := p.in.Write(request)
	return err
}
