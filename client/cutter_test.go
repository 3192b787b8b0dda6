package client_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cut is where a connection breaks.
type cut struct {
	answer bool // within the answer, else within the request
	after  int  // bytes of it that get through; before: the connection ends before its first
	reset  bool // by a reset, else by an orderly end
}

// before is the place of a cut before the request's first byte.
const before = -1

// cutter is a TCP proxy that breaks one connection at one byte. The server still
// handles what it received.
type cutter struct {
	url    string
	target string
	ln     net.Listener
	wg     sync.WaitGroup // everything but the tests

	mu      sync.Mutex // guards the rest
	open    map[*joint]bool
	newest  *joint
	armed   *cut          // nil once it has happened
	passed  map[bool]int  // bytes since it was armed, of answers and of requests
	settled chan struct{} // closed when the server is done with what was broken; nil: nothing was
}

// joint is one proxied connection.
type joint struct {
	client, server *net.TCPConn
	broken         bool // guarded by cutter.mu
}

// newCutter returns a proxy in front of address; it ends with the test.
func newCutter(t *testing.T, address string) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{url: "http://" + ln.Addr().String(), target: address, ln: ln, open: map[*joint]bool{}, passed: map[bool]int{}}
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		ln.Close()
		c.mu.Lock()
		for j := range c.open {
			j.client.Close()
			j.server.Close()
		}
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		client, err := c.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.target)
		if err != nil {
			client.Close()
			continue
		}
		j := &joint{client: client.(*net.TCPConn), server: server.(*net.TCPConn)}
		c.mu.Lock()
		c.open[j], c.newest = true, j
		if c.armed != nil && c.armed.after == before {
			c.breakOff(j)
		}
		c.mu.Unlock()
		c.wg.Go(func() { c.carry(j) })
	}
}

// carry passes bytes both ways until both sides have ended.
func (c *cutter) carry(j *joint) {
	var up sync.WaitGroup
	up.Go(func() {
		c.pass(j, false, j.client, j.server)
		j.server.CloseWrite()
	})
	c.pass(j, true, j.server, j.client)
	c.mu.Lock()
	if j.broken {
		close(c.settled) // the server has ended its side: all it did is done
	}
	c.mu.Unlock()
	j.client.CloseWrite()
	up.Wait()
	j.client.Close()
	j.server.Close()
	c.mu.Lock()
	delete(c.open, j)
	c.mu.Unlock()
}

// pass carries bytes one way. After a break it reads on and drops them: an end
// with bytes unread would be a reset.
func (c *cutter) pass(j *joint, answer bool, from io.Reader, to io.Writer) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			c.write(j, answer, to, buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// write writes what may pass, and breaks the connection where the cut is.
func (c *cutter) write(j *joint, answer bool, to io.Writer, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.broken {
		return
	}
	here := c.armed != nil && c.armed.answer == answer && c.passed[answer]+len(data) >= c.armed.after
	if here {
		data = data[:c.armed.after-c.passed[answer]]
	}
	c.passed[answer] += len(data)
	_, _ = to.Write(data)
	if here {
		c.breakOff(j)
	}
}

// breakOff ends a connection towards the client, and the request towards the
// server; c.mu is held.
func (c *cutter) breakOff(j *joint) {
	j.broken = true
	c.settled = make(chan struct{})
	if c.armed.reset {
		_ = j.client.SetLinger(0)
		_ = j.client.Close()
	} else {
		_ = j.client.CloseWrite()
	}
	_ = j.server.CloseWrite()
	c.armed = nil
}

// arm lets the next bytes meet a cut. Before them, it is the newest connection
// that breaks if the next request is to reuse it, else the next one.
func (c *cutter) arm(next cut, reused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.passed, c.settled = &next, map[bool]int{}, nil
	if next.after == before && reused {
		c.breakOff(c.newest)
	}
}

// settle waits until the server is done with what was broken, and returns how
// many bytes of the request and of the answer got through.
func (c *cutter) settle() (request, answer int) {
	c.mu.Lock()
	c.armed = nil
	settled := c.settled
	c.mu.Unlock()
	if settled != nil {
		<-settled
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed[false], c.passed[true]
}
