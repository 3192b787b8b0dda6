package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	// heartbeat is the published interval.
	heartbeat = 20 * time.Second

	// writeLimit drops a reader that never reads: longer than any pause of a
	// living one, shorter than the heartbeat.
	writeLimit = 10 * time.Second
)

// stream is one connection that watches a run.
type stream struct {
	run       *run
	w         http.ResponseWriter
	control   *http.ResponseController
	toolCalls bool
	position  int // of the next event in the run's events
	sent      int // events written on this connection
}

func (s *Sandbox) streamRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	r, p := s.find(owner, req.PathValue("runId"))
	if p != nil {
		return p
	}
	if r.finished() {
		switch r.behaviour.finished {
		case "404":
			return refuse(http.StatusNotFound, "Run not found")
		case "204":
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	if !s.enter() {
		return errClosed()
	}
	defer s.active.Done()
	s.counts.streamsOpened.Add(1)
	s.counts.openStreams.Add(1)
	defer s.counts.openStreams.Add(-1)

	st := &stream{run: r, w: w, control: http.NewResponseController(w),
		toolCalls: req.URL.Query().Get("includeToolCalls") == "true",
		position:  r.startOf(req.Header.Get("Last-Event-ID"))}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if st.write(nil) == nil {
		st.follow(req, s.ctx.Done())
	}
	return nil
}

// startOf says where a new stream begins. Only stable ids can be gone on from;
// under the other options the server has no use for Last-Event-ID.
func (r *run) startOf(lastEventID string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.behaviour.replay == "none" {
		return len(r.events)
	}
	last, err := strconv.Atoi(lastEventID)
	if err != nil || r.behaviour.ids == "per-connection" || r.behaviour.ids == "none" {
		return 0
	}
	position := 0
	for position < len(r.events) && r.events[position].id <= last {
		position++
	}
	return position
}

// follow writes events until the run has ended, the reader is gone or the
// sandbox closes.
func (st *stream) follow(req *http.Request, closed <-chan struct{}) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		events, ended, changed := st.run.since(st.position)
		for _, e := range events {
			st.position++
			if st.send(e) != nil || req.Context().Err() != nil {
				return
			}
		}
		if ended && st.run.behaviour.end != "hold" {
			return
		}
		select {
		case <-changed:
		case <-ticker.C:
			if st.write([]byte("event: keepalive\ndata: null\n\n")) != nil {
				return
			}
		case <-req.Context().Done():
			return
		case <-closed:
			return
		}
	}
}

// send writes one event, unless the run asked for it to be left out. The end
// is never left out: a stream that closes without one says something else.
func (st *stream) send(e *event) error {
	b := &st.run.behaviour
	if b.drop > 0 && st.position%b.drop == 0 && e.name != "end" {
		return nil
	}
	var links []approvalLink
	if st.toolCalls || e.body.Step == nil { // else they would be spent on a reader who doesn't get them
		links = st.run.linksFor(e)
	}
	data, err := e.data(st.toolCalls, links)
	if err != nil {
		return err
	}
	st.sent++
	var frame bytes.Buffer
	switch b.ids {
	case "none":
	case "per-connection":
		fmt.Fprintf(&frame, "id: %d\n", st.sent)
	default:
		fmt.Fprintf(&frame, "id: %d\n", e.id)
	}
	fmt.Fprintf(&frame, "event: %s\ndata: %s\n\n", e.name, data)
	if err := st.write(frame.Bytes()); err != nil {
		return err
	}
	if b.cut > 0 && st.sent%b.cut == 0 {
		panic(http.ErrAbortHandler) // net/http's own way to break a connection off
	}
	return nil
}

// write sends and flushes within the limit. A writer without deadlines, as in
// a test, is written to without one.
func (st *stream) write(frame []byte) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := st.w.Write(frame); err != nil {
		return err
	}
	return st.control.Flush()
}
