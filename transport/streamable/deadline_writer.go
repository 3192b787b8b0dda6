package streamable

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// pieceSize is how many bytes are written before the deadline is renewed.
const pieceSize = 64 << 10

// takeoverTimeout is how long a client may leave a write unread when a newer
// response takes over: its connection may be dead.
const takeoverTimeout = time.Second

// deadlineWriter writes a response. Each piece has a deadline, so that a client
// may read slowly but not stop.
type deadlineWriter struct {
	w       http.ResponseWriter
	timeout time.Duration // of a piece

	mu     sync.Mutex // guards isLast
	isLast bool       // the deadline is not renewed any more
}

// writeWhole writes a whole response. A body of nil is none.
func (d *deadlineWriter) writeWhole(status int, body []byte) error {
	if body != nil {
		d.w.Header().Set("Content-Type", "application/json")
		d.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	d.renewDeadline()
	d.w.WriteHeader(status)
	return d.write(body)
}

// write writes b piece by piece.
func (d *deadlineWriter) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), pieceSize)
		d.renewDeadline()
		if _, err := d.w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (d *deadlineWriter) flush() error {
	d.renewDeadline()
	return http.NewResponseController(d.w).Flush()
}

// renewDeadline sets the deadline for what is written next, which may be
// net/http's own end of the response.
func (d *deadlineWriter) renewDeadline() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isLast {
		d.setDeadline(d.timeout)
	}
}

// shortenDeadline sets a short last deadline: another response waits for the stream.
func (d *deadlineWriter) shortenDeadline() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isLast = true
	d.setDeadline(min(d.timeout, takeoverTimeout))
}

func (d *deadlineWriter) setDeadline(timeout time.Duration) {
	_ = http.NewResponseController(d.w).SetWriteDeadline(time.Now().Add(timeout))
}
