// Package sandbox is a stand-in for the Run API: the whole published contract,
// answered from memory, with nothing real behind it. `runs-mcp-server sandbox`
// serves it, and the tests do.
//
// It shares no type with the rest of the project. A stand-in that used the
// client's types would repeat the client's mistakes. A run does what its context
// asks for in a "sandbox:" line; docs/sandbox.md lists the words.
//
// A request goes from routes.go to the file of its operation, such as
// create_run.go. A created run goes on in execute.go.
//
// Locks are taken in this order: Sandbox.mu, run.mu, tokenBook.mu.
package sandbox

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// DefaultKey is the API key accepted when Options names none.
const DefaultKey = "sandbox-key"

const (
	// defaultStep is slow enough for a person to follow: a run of four steps takes
	// about two seconds.
	defaultStep = 400 * time.Millisecond

	// defaultMaxRuns bounds the memory of a sandbox that is left running.
	defaultMaxRuns = 10_000
)

// Options configures a Sandbox. The zero value is usable.
type Options struct {
	// Keys are the accepted API keys; empty means DefaultKey alone. A key sees only
	// its own runs.
	Keys []string
	// Step is the pause between events of a run that sets no step_ms. Zero means
	// 400 ms.
	Step time.Duration
	// Logger gets one line per request with method, route and status. It never gets
	// a query, a key or a body. Nil discards.
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
	active sync.WaitGroup // goroutines of runs, and open streams

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

// ServeHTTP answers one request of the Run API.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.routes.ServeHTTP(w, r)
}

// Close ends all runs and streams and waits for their goroutines. Later requests
// that need one are answered 503. It may be called more than once.
func (s *Sandbox) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.active.Wait()
}

// addStream makes Close wait for one more stream, until active.Done. It reports
// false after Close: adding to a WaitGroup that is being waited for is a race.
func (s *Sandbox) addStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.active.Add(1)
	return true
}

// addRun adds a run, and makes Close wait for its goroutine, until active.Done. A
// full sandbox drops the oldest run that has ended, or refuses.
func (s *Sandbox) addRun(r *run) *problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	if len(s.order) >= s.maxRuns {
		i := slices.IndexFunc(s.order, (*run).hasEnded)
		if i < 0 {
			return newProblem(http.StatusTooManyRequests, "the sandbox holds as many unfinished runs as it may")
		}
		delete(s.runs, s.order[i].id)
		s.order = slices.Delete(s.order, i, i+1)
	}
	s.runs[r.id] = r
	s.order = append(s.order, r)
	s.active.Add(1)
	return nil
}

// findRun returns a run of that owner. The run of another owner is not found, so
// nobody learns which ids exist.
func (s *Sandbox) findRun(owner int, id string) (*run, *problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil && r.owner == owner {
		return r, nil
	}
	return nil, newProblem(http.StatusNotFound, "Run not found")
}

// runsOf returns the runs of that owner, newest first.
func (s *Sandbox) runsOf(owner int) []*run {
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
