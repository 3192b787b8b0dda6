package client

import (
	"context"
	"sync"
	"time"
)

// shareTimeout is how long a read waits for the one before it. Then it is sent beside
// it, because that one may be stuck.
const shareTimeout = time.Second

// sharedReads lets calls that read the same run at the same time share an answer: while
// one read is on its way, the calls that come meanwhile share the next one. A call
// never shares a request that was sent before the call began: its answer may be older
// than what the call has seen.
type sharedReads struct {
	mu    sync.Mutex // guards the map and its values
	byRun map[sharedKey]*readsOfRun
}

// sharedKey says which reads are the same. Callers never share one.
type sharedKey struct {
	caller        Caller
	runID         RunID
	includeEvents bool
}

// readsOfRun are the newest read that was sent, and the one that calls can join. nil
// where there is none.
type readsOfRun struct{ sent, next *sharedRead }

// sharedRead is one read. The call that began it sends it.
type sharedRead struct {
	done chan struct{} // closed when the other fields are set
	run  *Run
	err  error
	// unfit says that there is no answer for others: the call that sent the read was
	// ended, or it panicked.
	unfit bool
}

// get returns the run that read returns, in this call or in another one. The caller
// owns the Run, but shares what it points to.
func (s *sharedReads) get(ctx context.Context, key sharedKey, read func() (*Run, error)) (*Run, error) {
	for {
		r, earlier, began := s.join(key)
		if began {
			return s.send(ctx, key, r, earlier, read)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return read() // which says how ctx ended
		}
		if !r.unfit {
			return r.result()
		}
	}
}

// join returns the read to share. If there is none it begins one, after the read that
// is on its way, nil for none.
func (s *sharedReads) join(key sharedKey) (r, earlier *sharedRead, began bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reads := s.byRun[key]
	if reads == nil {
		reads = &readsOfRun{}
		s.byRun[key] = reads
	}
	if reads.next != nil {
		return reads.next, nil, false
	}
	reads.next = &sharedRead{done: make(chan struct{}), unfit: true}
	return reads.next, reads.sent, true
}

// send sends a read when the earlier one has its answer.
func (s *sharedReads) send(ctx context.Context, key sharedKey, r, earlier *sharedRead, read func() (*Run, error)) (*Run, error) {
	defer s.finish(key, r) // also if read panics
	if earlier != nil {
		select {
		case <-earlier.done:
		case <-time.After(shareTimeout):
		case <-ctx.Done():
		}
	}
	s.markSent(key, r)
	r.run, r.err = read()
	r.unfit = r.err != nil && ctx.Err() != nil
	return r.result()
}

// markSent ends that calls can join a read.
func (s *sharedReads) markSent(key sharedKey, r *sharedRead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.byRun[key] = readsOfRun{sent: r}
}

// finish gives the read to the calls that joined it, and forgets it.
func (s *sharedReads) finish(key sharedKey, r *sharedRead) {
	close(r.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	reads := s.byRun[key]
	if reads == nil || reads.sent != r { // a later read was sent beside it
		return
	}
	reads.sent = nil
	if reads.next == nil {
		delete(s.byRun, key)
	}
}

// result returns what was read, with a Run for one call.
func (r *sharedRead) result() (*Run, error) {
	if r.err != nil {
		return nil, r.err
	}
	run := *r.run
	return &run, nil
}
