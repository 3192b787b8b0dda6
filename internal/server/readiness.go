package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"runs-mcp-server/client"
)

const (
	// readyAge is how long a verdict counts: probes, however many, ask the API that often.
	readyAge = 5 * time.Second
	// readyWait is how long a probe waits for a new verdict before it gets the one before.
	// Kubernetes gives a probe one second.
	readyWait = 800 * time.Millisecond
	// readyTimeout bounds the wait for the API.
	readyTimeout = 5 * time.Second
)

// errNotKnown is the verdict before the API has answered or failed to for the first time.
var errNotKnown = errors.New("the Run API has not answered yet")

// readiness tells whether the API answers. It uses nobody's key. It is safe for
// concurrent use.
type readiness struct {
	probe func(context.Context) error
	log   *slog.Logger
	ctx   context.Context // of all probes
	stop  context.CancelFunc
	wg    sync.WaitGroup // one for the goroutine that asks the API

	mu      sync.Mutex    // guards all below
	verdict error         // nil: the API answers
	at      time.Time     // of the verdict
	asking  chan struct{} // closed when the API has been asked; nil: it is not being asked
}

func newReadiness(probe func(context.Context) error, log *slog.Logger) *readiness {
	ctx, stop := context.WithCancel(context.Background())
	return &readiness{probe: probe, log: log, ctx: ctx, stop: stop, verdict: errNotKnown}
}

// check returns why the API does not answer, nil if it does, as was found out lately.
func (r *readiness) check() error {
	r.mu.Lock()
	if !r.at.IsZero() && time.Since(r.at) < readyAge {
		defer r.mu.Unlock()
		return r.verdict
	}
	if r.asking == nil && r.ctx.Err() == nil {
		r.asking = make(chan struct{})
		r.wg.Go(r.ask)
	}
	asked := r.asking
	r.mu.Unlock()
	select {
	case <-asked:
	case <-time.After(readyWait):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.verdict
}

// ask asks the API and notes the verdict.
func (r *readiness) ask() {
	ctx, cancel := context.WithTimeout(r.ctx, readyTimeout)
	defer cancel()
	err := r.probe(ctx)
	if failed, ok := errors.AsType[*client.Error](err); ok {
		err = errors.New(failed.Message) // which names no address
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ctx.Err() != nil:
	case err != nil && (r.verdict == nil || r.at.IsZero()):
		r.log.Warn("not ready: the Run API does not answer", "error", err)
	case err == nil && r.verdict != nil && !r.at.IsZero():
		r.log.Info("ready again: the Run API answers")
	}
	r.verdict, r.at = err, time.Now()
	close(r.asking)
	r.asking = nil
}

// close ends the asking and waits for it.
func (r *readiness) close() {
	r.stop()
	r.wg.Wait()
}
