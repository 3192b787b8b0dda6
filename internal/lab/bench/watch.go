package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// runsPerKey is how many runs one caller watches, in one listen.
	runsPerKey = 1000
	// watchSamples is how many events are measured, one after the other, each of
	// another run.
	watchSamples = 1000
	// watchTimeout bounds the wait for a notification.
	watchTimeout = 30 * time.Second
)

// watched is what our server does with so many watched runs.
type watched struct {
	Runs     int     `json:"runs"`
	P50      float64 `json:"p50Microseconds"` // from the event at the API to the notification
	P99      float64 `json:"p99Microseconds"`
	EachKiB  float64 `json:"residentKiBPerRun"`
	TotalMiB float64 `json:"residentMiB"`
}

// measureWatched measures for each number of runs, each in a new process of our server.
func measureWatched(ctx context.Context, program string, numbers []int) ([]watched, error) {
	var all []watched
	for _, n := range numbers {
		w, err := measureWatchedRuns(ctx, program, n)
		if err != nil {
			return nil, fmt.Errorf("%d watched runs: %w", n, err)
		}
		all = append(all, w)
	}
	return all, nil
}

func measureWatchedRuns(ctx context.Context, program string, n int) (watched, error) {
	api, err := newEventAPI(n)
	if err != nil {
		return watched{}, err
	}
	defer api.close()
	p, err := startHTTP(ctx, []string{"TR_API_URL=" + api.url}, program, "http", "--listen=127.0.0.1:0", "--memory=8GiB")
	if err != nil {
		return watched{}, err
	}
	defer p.kill()
	target, err := url.Parse(p.url)
	if err != nil {
		return watched{}, err
	}
	w := &watcher{target: target, changed: make(chan string, n)}
	defer w.close()
	if err := w.watch(api.runs[:1], 0); err != nil { // the code is in memory then
		return watched{}, err
	}
	before, err := p.memory()
	if err != nil {
		return watched{}, err
	}
	for from := 1; from < n; from += runsPerKey {
		// The first run makes the key known to our server, which lets an unknown one watch few.
		runs := api.runs[from:min(from+runsPerKey, n)]
		for _, some := range [][]string{runs[:1], runs[1:]} {
			if err := w.watch(some, from); err != nil {
				return watched{}, err
			}
		}
	}
	after, err := p.memory()
	if err != nil {
		return watched{}, err
	}
	found := watched{Runs: n, TotalMiB: float64(after.resident) / 1024}
	if n > 1 {
		found.EachKiB = float64(after.resident-before.resident) / float64(n-1)
	}
	found.P50, found.P99, err = measureEvents(ctx, api, w)
	return found, err
}

// measureEvents lets runs have an event, one after the other, and waits for the
// notification of each.
func measureEvents(ctx context.Context, api *eventAPI, w *watcher) (p50, p99 float64, err error) {
	var took []time.Duration
	for i := range watchSamples {
		run := api.runs[i*7919%len(api.runs)] // far from the last one
		start := time.Now()
		api.sendEvent(run)
		if err := w.wait(ctx, run); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(start))
	}
	sorted := sortedDurations(took)
	return microseconds(sorted[len(sorted)/2]), microseconds(sorted[len(sorted)*99/100]), nil
}

// watcher listens to runs over HTTP in 2026-07-28, and notes which have changed.
type watcher struct {
	target  *url.URL
	changed chan string // ids of runs
	conns   []net.Conn
}

// watch listens to the events of runs, and returns when each was notified once: then all
// are watched. The number makes the caller's key.
func (w *watcher) watch(runs []string, number int) error {
	if len(runs) == 0 {
		return nil
	}
	uris := make([]string, len(runs))
	for i, run := range runs {
		uris[i] = "run://" + run + "/events"
	}
	list, err := json.Marshal(uris)
	if err != nil {
		return err
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":` + string(list) +
		`},"_meta":{"io.modelcontextprotocol/protocolVersion":"` + statelessVersion + `","io.modelcontextprotocol/clientCapabilities":{}}}}`
	conn, err := net.Dial("tcp", w.target.Host)
	if err != nil {
		return err
	}
	w.conns = append(w.conns, conn)
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nx-api-key: key-of-watcher-%06d\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"+
		"MCP-Protocol-Version: %s\r\nMcp-Method: subscriptions/listen\r\nContent-Length: %d\r\n\r\n%s", w.target.Path, w.target.Host, number, statelessVersion, len(body), body)
	if err != nil {
		return err
	}
	go w.read(conn)
	missing := map[string]bool{}
	for _, run := range runs {
		missing[run] = true
	}
	for timeout := time.After(watchTimeout); len(missing) > 0; {
		select {
		case run := <-w.changed:
			delete(missing, run)
		case <-timeout:
			return fmt.Errorf("%d runs of caller %d were not notified in %s", len(missing), number, watchTimeout)
		}
	}
	return nil
}

// read reads notifications until the connection ends.
func (w *watcher) read(conn net.Conn) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, rest, ok := strings.Cut(lines.Text(), `"uri":"run://`)
		if run, _, found := strings.Cut(rest, "/events"); ok && found {
			w.changed <- run
		}
	}
}

// wait waits until a run has changed. Others are not expected to.
func (w *watcher) wait(ctx context.Context, run string) error {
	for timeout := time.After(watchTimeout); ; {
		select {
		case changed := <-w.changed:
			if changed == run {
				return nil
			}
		case <-timeout:
			return errors.New("no notification in " + watchTimeout.String())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *watcher) close() {
	for _, conn := range w.conns {
		conn.Close()
	}
}

// eventAPI is an API of running runs, whose events come when the measurement wants them.
type eventAPI struct {
	url    string
	runs   []string
	events map[string]chan struct{} // by run; each has room for one
	server *http.Server
	served sync.WaitGroup
	ended  chan struct{}
}

func newEventAPI(n int) (*eventAPI, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &eventAPI{url: "http://" + l.Addr().String(), events: map[string]chan struct{}{}, ended: make(chan struct{})}
	for range n {
		run := uuid.NewString()
		a.runs = append(a.runs, run)
		a.events[run] = make(chan struct{}, 1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runs/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"runId":%q,"status":"RUNNING","events":[{"id":1,"event":"step",%s]}`, r.PathValue("id"), eventFields)
	})
	mux.HandleFunc("GET /v1/runs/{id}/sse", a.serveStream)
	a.server = &http.Server{Handler: mux}
	a.served.Go(func() { _ = a.server.Serve(l) })
	return a, nil
}

const eventFields = `"runStatus":"RUNNING","timestamp":"2026-01-01T00:00:00.000Z","step":{"reason":"A reason","text":"A text of a step","approval":"NOT_REQUIRED"}}`

func (a *eventAPI) serveStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	events := a.events[r.PathValue("id")]
	for id := 1; ; id++ {
		fmt.Fprintf(w, "id: %d\nevent: step\ndata: {%s\n\n", id, eventFields)
		w.(http.Flusher).Flush()
		select {
		case <-events:
		case <-a.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (a *eventAPI) sendEvent(run string) { a.events[run] <- struct{}{} }

func (a *eventAPI) close() {
	close(a.ended)
	a.server.Close()
	a.served.Wait()
}
