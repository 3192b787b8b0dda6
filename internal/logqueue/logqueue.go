// Package logqueue keeps a log from blocking its program.
//
// A [Writer] queues records, and a goroutine writes them to the destination. It
// guarantees:
//
//   - Write never waits for the destination and never fails.
//   - A record is written by one Write, whole or not at all, in order, and ends with
//     a newline. A pipe takes up to 4,096 bytes at once, so a shorter line is never
//     torn, even if the process ends.
//   - At most limit bytes are held, the record being written included. Other records
//     are dropped and counted. A line reports their number where they are missing, as
//     soon as the destination takes lines again.
//   - Close waits for the destination no longer than its timeout.
package logqueue

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// limit is how many bytes a Writer holds: a few thousand lines.
const limit = 256 << 10

// Writer is a queue in front of a destination. It is safe for concurrent use.
type Writer struct {
	out  io.Writer
	wake chan struct{} // holds a value when run has work
	done chan struct{} // closed when run has returned

	mu      sync.Mutex // guards all below
	queue   []record
	held    int // bytes of queue and of the record being written
	dropped int // lines dropped since the last note
	lost    int // lines dropped since the start
	json    bool
	failed  bool
	torn    bool // the last write broke off inside a line
	closed  bool
}

// record is the data of one Write, or a note of dropped lines.
type record struct {
	data  []byte
	lines int // lines that are lost if it is not written: its own, or those of the note
	// isNote says that its lines were counted as lost before.
	isNote bool
}

// New returns a Writer in front of out. The caller closes it.
func New(out io.Writer) *Writer {
	w := &Writer{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// UseJSON writes the reports of dropped lines as JSON from now on.
func (w *Writer) UseJSON() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.json = true
}

// Lost returns how many lines were dropped since the start.
func (w *Writer) Lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// Write queues a copy of p, or drops it. It returns len(p) and no error.
func (w *Writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	data := append(make([]byte, 0, len(p)+1), p...)
	if data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	r := record{data: data, lines: bytes.Count(data, []byte("\n"))}
	w.mu.Lock()
	defer w.mu.Unlock()
	// After a loss the queue first drains to its half. Otherwise every second
	// line to a slow destination would be a note.
	room := limit
	if w.dropped > 0 {
		room = limit / 2
	}
	if w.closed || w.held+len(data) > room {
		w.drop(r.lines)
		return len(p), nil
	}
	if w.dropped > 0 {
		w.push(w.note())
	}
	w.push(r)
	return len(p), nil
}

// push queues a record.
func (w *Writer) push(r record) {
	w.queue = append(w.queue, r)
	w.held += len(r.data)
	w.signal()
}

// signal wakes run.
func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// drop counts lines that are lost. w.mu is held.
func (w *Writer) drop(lines int) {
	w.dropped += lines
	w.lost += lines
}

// note returns a line with the number of dropped lines, and resets that number.
func (w *Writer) note() record {
	var line bytes.Buffer
	var handler slog.Handler = slog.NewTextHandler(&line, nil)
	if w.json {
		handler = slog.NewJSONHandler(&line, nil)
	}
	slog.New(handler).Warn("log lines were dropped: they were not taken in time", "lines", w.dropped)
	r := record{line.Bytes(), w.dropped, true}
	w.dropped = 0
	return r
}

// run writes records until the Writer is closed and nothing is left.
func (w *Writer) run() {
	defer close(w.done)
	for {
		r, closed := w.next()
		switch {
		case r.data != nil:
			n, err := w.out.Write(r.data)
			w.wrote(r, n, err)
		case closed:
			return
		default:
			<-w.wake
		}
	}
}

// next returns the record to write, an empty one if there is none now.
func (w *Writer) next() (r record, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(w.queue) > 0:
		r, w.queue[0] = w.queue[0], record{}
		w.queue = w.queue[1:]
	case w.dropped > 0 && !w.failed: // a destination that fails is tried again with the next line
		r = w.note()
		w.held += len(r.data)
	}
	if w.torn && r.data != nil {
		r.data = append([]byte("\n"), r.data...)
		w.held++
	}
	return r, w.closed
}

// wrote accounts for a record after its Write.
func (w *Writer) wrote(r record, n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held -= len(r.data)
	w.failed, w.torn = err != nil, err != nil && (n > 0 || w.torn)
	if err == nil {
		return
	}
	w.dropped += r.lines
	if !r.isNote {
		w.lost += r.lines
	}
}

// Close ends the Writer when the queue has been written, or after the timeout. It
// reports whether all was written. If not, the goroutine stays until the
// destination's Write returns. Later lines are dropped.
func (w *Writer) Close(timeout time.Duration) bool {
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case <-w.done:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.dropped == 0
	case <-limit.C:
		return false
	}
}
