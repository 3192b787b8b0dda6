package attend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/lab/inmem"
	"runs-mcp-server/internal/redact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const runID client.RunID = "123e4567-e89b-12d3-a456-426614174000"

// fakeAPI is a Run API with one run, to which a test adds events.
type fakeAPI struct {
	mu        sync.Mutex
	status    client.Status
	events    []string
	changed   chan struct{} // closed at each new event
	failure   int           // status with which the run cannot be read, 0 for none
	frozen    bool          // a read of the run has no answer
	slowRead  time.Duration // that a read takes
	slow      time.Duration // that a decision takes
	decisions []string      // tokens that were sent
}

// add adds an event, fields as JSON.
func (a *fakeAPI) add(event string, status client.Status, fields string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
	a.events = append(a.events, fmt.Sprintf(`{"id":%d,"event":%q,"runId":%q,"runStatus":%q%s}`, len(a.events)+1, event, runID, status, fields))
	close(a.changed)
	a.changed = make(chan struct{})
}

// askStep adds a step that waits for approval of a call to a tool. n names its links.
func (a *fakeAPI) askStep(n int, tool string) { a.add("step", client.Paused, stepFields(n, tool)) }

func stepFields(n int, tool string) string {
	const link = `{"action":%q,"url":"https://x/v1/runs/approval?token=%[1]s-link-%d"}`
	return fmt.Sprintf(`,"step":{"approval":"PENDING","toolCalls":[{"toolCallId":"call-%d","toolName":%q,"toolParameters":{}}],"approvalActions":[%s,%s]}`,
		n, tool, fmt.Sprintf(link, "approve", n), fmt.Sprintf(link, "deny", n))
}

// change replaces the fields of an event, as only the stored run shows.
func (a *fakeAPI) change(i int, old, now string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events[i] = strings.ReplaceAll(a.events[i], old, now)
}

func (a *fakeAPI) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *fakeAPI) sent() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.decisions)
}

func (a *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/approval"):
		a.mu.Lock()
		a.decisions = append(a.decisions, r.URL.Query().Get("token"))
		slow := a.slow
		a.mu.Unlock()
		time.Sleep(slow)
		w.WriteHeader(http.StatusCreated)
	case strings.HasSuffix(r.URL.Path, "/sse"):
		a.stream(w, r)
	default:
		a.mu.Lock()
		frozen, slow := a.frozen, a.slowRead
		a.mu.Unlock()
		if frozen {
			<-r.Context().Done()
			return
		}
		time.Sleep(slow)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.failure != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(a.failure)
			fmt.Fprint(w, `{"message":"as a test wants it"}`)
			return
		}
		fmt.Fprintf(w, `{"runId":%q,"status":%q,"events":[%s]}`, runID, a.status, strings.Join(a.events, ","))
	}
}

func (a *fakeAPI) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	for next := 0; ; {
		a.mu.Lock()
		events, changed := slices.Clone(a.events), a.changed
		a.mu.Unlock()
		for ; next < len(events); next++ {
			var e struct{ Event string }
			json.Unmarshal([]byte(events[next]), &e)
			fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", next+1, e.Event, events[next])
			w.(http.Flusher).Flush()
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			fmt.Fprint(w, "event: keepalive\ndata: null\n\n")
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// fakePerson answers each question after a while.
type fakePerson struct {
	after  time.Duration
	answer Answer
	err    error
	during func() // called before the answer

	mu        sync.Mutex
	questions []Question
	completed []string
	withdrawn error // the cause
}

func (p *fakePerson) ask(ctx context.Context, q Question) (Answer, error) {
	p.mu.Lock()
	p.questions = append(p.questions, q)
	p.mu.Unlock()
	select {
	case <-time.After(p.after):
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		p.withdrawn = context.Cause(ctx)
		return Answer{}, ctx.Err()
	}
	if p.during != nil {
		p.during()
	}
	return p.answer, p.err
}

func (p *fakePerson) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.questions)
}

// cause returns why a question was withdrawn, nil if none was.
func (p *fakePerson) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.withdrawn
}

// person returns the person as the clients of the older protocols have them.
func (p *fakePerson) person(name string) Person {
	return Person{
		Name: name, Approvals: true, Links: true, Ask: p.ask,
		Complete: func(_ context.Context, id string) { p.completed = append(p.completed, id) },
	}
}

var (
	approve = Answer{Action: Accept, Decision: approval.Approve}
	deny    = Answer{Action: Accept, Decision: approval.Deny}
	decline = Answer{Action: Decline}
	cancel  = Answer{Action: Cancel}
)

// fakeObserver keeps what it observes.
type fakeObserver struct {
	events []int64 // ids, negative ones are no news
	tokens []string
	silent []string // when, status and whether the person is being asked
	began  time.Time
}

func (o *fakeObserver) ObserveEvent(_ context.Context, e client.Event, news bool) {
	if !news {
		e.ID = -e.ID
	}
	o.events = append(o.events, e.ID)
}

func (o *fakeObserver) ObserveTokens(tokens []string) { o.tokens = tokens }

func (o *fakeObserver) ObserveSilence(_ context.Context, status client.Status, asking bool) {
	o.silent = append(o.silent, fmt.Sprintf("%v %s %t", time.Since(o.began), status, asking))
}

// logBuffer is a buffer that may be read while others write.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// bed is an Attendant on a fake API, in a bubble of its own time.
type bed struct {
	*Attendant
	api *fakeAPI
	log *logBuffer
}

// inBubble runs a test on a run that is RUNNING. Two seconds have passed then.
func inBubble(t *testing.T, test func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeAPI{changed: make(chan struct{})}
		fake.add("start", client.Running, "")
		api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(fake)})
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		decider := approval.NewDecider(api)
		feeds := feed.NewHub(api, decider, feed.Options{})
		defer feeds.Close()
		log := new(logBuffer)
		b := &bed{New(Options{Feeds: feeds, Decider: decider, Secrets: redact.New(), Log: slog.New(slog.NewTextHandler(log, nil))}), fake, log}
		defer b.Close()
		time.Sleep(2 * time.Second)
		test(t, b)
	})
}

// call returns a call that waits for so many seconds.
func (b *bed) call(p Person, seconds int) Call {
	return Call{
		Caller: alice, RunID: runID, Deadline: time.Now().Add(time.Duration(seconds) * time.Second), Person: p,
		LinkOf: func(a *client.Auth) string { return a.URL }, Observer: &fakeObserver{began: time.Now()},
	}
}

// follow follows the run for a call, which must not fail.
func (b *bed) follow(t *testing.T, c Call) Result {
	t.Helper()
	r, err := b.Follow(t.Context(), c)
	if err != nil {
		t.Error(err)
	}
	return r
}

// statusOf returns the status of a result's outcome, "" for none.
func statusOf(r Result) Status {
	if r.Outcome == nil {
		return ""
	}
	return r.Outcome.Status
}
