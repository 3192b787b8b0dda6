// Package sandbox is a stand-in for the Run API: the whole published contract,
// answered from memory, with nothing real behind it.
//
// It shares no type with the rest of the project, because a stand-in that
// shared the client's types would share its mistakes. What a run does is asked
// for in the run's own context, in the manner of payment test cards: see
// docs/sandbox.md for the words of the "sandbox:" line.
//
// Locks are taken in this order and never the other way round: Sandbox.mu,
// then run.mu, then tokenBook.mu.
package sandbox

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// DefaultKey is the API key accepted when Options names none.
const DefaultKey = "sandbox-key"

const (
	// defaultStep is slow enough for a person to follow a run and fast enough
	// not to bore: a run of four steps takes about two seconds.
	defaultStep = 400 * time.Millisecond

	// defaultMaxRuns bounds the memory of a sandbox that is left running.
	defaultMaxRuns = 10_000
)

// Options configures a Sandbox. The zero value is usable.
type Options struct {
	// Keys are the accepted API keys; empty means DefaultKey alone. Runs are
	// kept apart by key: another key's run is not found.
	Keys []string
	// Step is the pace between events where a run says nothing; zero means
	// 400 ms. A run's step_ms=0 is faster than any Step.
	Step time.Duration
	// Logger gets one line per request: method, route and status, never a
	// query, a key or a body. Nil discards.
	Logger *slog.Logger
}

// Sandbox is an in-memory Run API. It is safe for concurrent use. Close it to
// end the runs and streams that are still going.
type Sandbox struct {
	keys    []string
	step    time.Duration
	maxRuns int
	log     *slog.Logger
	routes  http.Handler
	tokens  *tokenBook
	counts  counters

	ctx    context.Context // ends every run and stream; cancelled by Close
	cancel context.CancelFunc
	active sync.WaitGroup // runs' goroutines and open streams; Close waits for it

	mu     sync.Mutex // guards closed, runs and order
	closed bool
	runs   map[string]*run
	order  []*run // by creation, oldest first
}

// New returns a Sandbox. It does no I/O and starts nothing.
func New(o Options) *Sandbox {
	s := &Sandbox{
		keys:    slices.Clone(o.Keys),
		step:    o.Step,
		maxRuns: defaultMaxRuns,
		log:     o.Logger,
		tokens:  newTokenBook(),
		runs:    map[string]*run{},
	}
	if len(s.keys) == 0 {
		s.keys = []string{DefaultKey}
	}
	if s.step <= 0 {
		s.step = defaultStep
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.routes = s.newRoutes()
	return s
}

// ServeHTTP answers one call of the Run API.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.routes.ServeHTTP(w, r)
}

// Close ends all runs and streams and waits for their goroutines. Calls that
// come later and need one are answered 503. It may be called more than once.
func (s *Sandbox) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.active.Wait()
}

// enter counts one goroutine that Close has to wait for, unless Close was
// called: adding to a WaitGroup that is being waited for is a race.
func (s *Sandbox) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.active.Add(1)
	return true
}

// owner returns the number of the API key a request carries. Runs hold that
// number and not the key, so no answer or log can show one.
func (s *Sandbox) owner(r *http.Request) (int, bool) {
	given, found := []byte(r.Header.Get("x-api-key")), -1
	for i, key := range s.keys {
		if subtle.ConstantTimeCompare([]byte(key), given) == 1 {
			found = i
		}
	}
	return found, found >= 0
}

// keep adds a run, dropping the oldest finished one where the sandbox is full.
// It refuses when every kept run is still going.
func (s *Sandbox) keep(r *run) *problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	if len(s.order) >= s.maxRuns {
		i := slices.IndexFunc(s.order, (*run).finished)
		if i < 0 {
			return refuse(http.StatusTooManyRequests, "the sandbox holds as many unfinished runs as it may")
		}
		delete(s.runs, s.order[i].id)
		s.order = slices.Delete(s.order, i, i+1)
	}
	s.runs[r.id] = r
	s.order = append(s.order, r)
	s.active.Add(1) // for the run's goroutine, which the caller starts
	return nil
}

// find returns a run of that owner. Another owner's run looks like none, so
// that nobody learns which ids exist.
func (s *Sandbox) find(owner int, id string) (*run, *problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil && r.owner == owner {
		return r, nil
	}
	return nil, refuse(http.StatusNotFound, "Run not found")
}

// owned returns that owner's runs, newest first.
func (s *Sandbox) owned(owner int) []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var runs []*run
	for _, r := range slices.Backward(s.order) {
		if r.owner == owner {
			runs = append(runs, r)
		}
	}
	return runs
}
