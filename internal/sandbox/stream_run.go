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
	// heartbeat is the interval that the API documents.
	heartbeat = 20 * time.Second

	// writeLimit drops a client that never reads. It is shorter than the heartbeat.
	writeLimit = 10 * time.Second
)

// stream is one connection that reads the events of a run.
type stream struct {
	run       *run
	w         http.ResponseWriter
	control   *http.ResponseController
	toolCalls bool
	position  int // index of the next event in run.events
	sent      int // events written to this connection
}

func (s *Sandbox) streamRun(w http.ResponseWriter, req *http.Request, owner int) *problem {
	r, p := s.findRun(owner, req.PathValue("runId"))
	if p != nil {
		return p
	}
	if r.hasEnded() {
		switch r.behaviour.finished {
		case "404":
			return newProblem(http.StatusNotFound, "Run not found")
		case "204":
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	if !s.addStream() {
		return errClosed()
	}
	defer s.active.Done()
	s.counts.streamsOpened.Add(1)
	s.counts.openStreams.Add(1)
	defer s.counts.openStreams.Add(-1)

	st := &stream{run: r, w: w, control: http.NewResponseController(w),
		toolCalls: req.URL.Query().Get("includeToolCalls") == "true",
		position:  r.streamStart(req.Header.Get("Last-Event-ID"))}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if st.writeFrame(nil) == nil {
		st.sendEvents(req, s.ctx.Done())
	}
	return nil
}

// streamStart returns the index of the first event of a new stream. Last-Event-ID
// means something for stable ids only.
func (r *run) streamStart(lastEventID string) int {
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

// sendEvents writes events until the run has ended, the client is gone or the
// sandbox is closed.
func (st *stream) sendEvents(req *http.Request, closed <-chan struct{}) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		events, ended, changed := st.run.eventsFrom(st.position)
		for _, e := range events {
			st.position++
			if st.sendEvent(e) != nil || req.Context().Err() != nil {
				return
			}
		}
		if ended && st.run.behaviour.end != "hold" {
			return
		}
		select {
		case <-changed:
		case <-ticker.C:
			if st.writeFrame([]byte("event: keepalive\ndata: null\n\n")) != nil {
				return
			}
		case <-req.Context().Done():
			return
		case <-closed:
			return
		}
	}
}

// sendEvent writes the event before st.position, unless "drop" leaves it out. The
// "end" is never left out: a stream without one looks broken off.
func (st *stream) sendEvent(e *event) error {
	b := &st.run.behaviour
	if b.drop > 0 && st.position%b.drop == 0 && e.name != "end" {
		return nil
	}
	var links []approvalLink
	if st.toolCalls || e.body.Step == nil { // otherwise the client does not see them
		links = st.run.linksForStream(e)
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
	if err := st.writeFrame(frame.Bytes()); err != nil {
		return err
	}
	if b.cut > 0 && st.sent%b.cut == 0 {
		panic(http.ErrAbortHandler) // breaks the connection off
	}
	return nil
}

// writeFrame writes and flushes within writeLimit. The ResponseWriters of some tests
// support no deadline.
func (st *stream) writeFrame(frame []byte) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := st.w.Write(frame); err != nil {
		return err
	}
	return st.control.Flush()
}
