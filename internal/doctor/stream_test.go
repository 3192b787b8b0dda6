package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/inmem"
)

const testRun = "123e4567-e89b-12d3-a456-426614174000"

// streamAPI is a Run API with at most one run, whose stream a function writes.
type streamAPI struct {
	status  string // of the run, "" for none
	stream  func(send func(string), done <-chan struct{})
	created int
	aborted int
	refuses int // the status with which it refuses to abort, 0 to abort
}

func (a *streamAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	run := map[string]any{"runId": testRun, "status": a.status}
	switch {
	case strings.HasSuffix(r.URL.Path, "/sse"):
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		a.stream(func(text string) { _, _ = io.WriteString(w, text) }, r.Context().Done())
	case r.Method == http.MethodPost:
		a.created++
		run["status"] = "QUEUED"
		json.NewEncoder(w).Encode(run)
	case r.Method == http.MethodDelete:
		a.aborted++
		if a.refuses != 0 {
			w.WriteHeader(a.refuses)
		}
	case a.status == "":
		fmt.Fprint(w, "[]")
	default:
		json.NewEncoder(w).Encode([]any{run})
	}
}

const anEvent, aHeartbeat = "id: 1\nevent: status\ndata: {\"runStatus\":\"RUNNING\"}\n\n", "event: keepalive\ndata: null\n\n"

// TestStream holds what is said of event streams: live ones, held back ones, and those
// that tell nothing.
func TestStream(t *testing.T) {
	silent := func(_ func(string), done <-chan struct{}) { <-done }
	for _, tt := range []struct {
		name   string
		api    streamAPI
		wait   time.Duration
		create bool
		status Status
		says   string
	}{
		{"events and heartbeats", streamAPI{status: "RUNNING", stream: func(send func(string), done <-chan struct{}) {
			send(anEvent)
			for {
				select {
				case <-time.After(20 * time.Second):
					send(aHeartbeat)
				case <-done:
					return
				}
			}
		}}, 25 * time.Second, false, OK, "the next ones after 20.0 s"},
		{"nothing at all", streamAPI{status: "RUNNING", stream: silent}, 25 * time.Second, false, Failed, "not one byte within 25 s"},
		{"nothing after the first event", streamAPI{status: "PAUSED", stream: func(send func(string), done <-chan struct{}) {
			send(anEvent)
			<-done
		}}, 25 * time.Second, false, Failed, "then none within 25 s"},
		{"nothing after what has happened", streamAPI{status: "PAUSED", stream: func(send func(string), done <-chan struct{}) {
			send(anEvent)
			time.Sleep(burst) // no longer
			send(anEvent)
			<-done
		}}, 25 * time.Second, false, Failed, "then none within 25 s"},
		{"too short a look", streamAPI{status: "RUNNING", stream: silent}, 3 * time.Second, false, Skipped, "nothing came within 3.0 s"},
		{"a run that ends", streamAPI{status: "RUNNING", stream: func(send func(string), _ <-chan struct{}) { send(anEvent) }}, 25 * time.Second, false, Skipped, "the run ended"},
		{"no look", streamAPI{status: "RUNNING"}, 0, false, Skipped, "--stream-wait=0"},
		{"no run", streamAPI{}, 25 * time.Second, false, Skipped, "no run goes on"},
		{"only an ended run", streamAPI{status: "SUCCESS"}, 25 * time.Second, false, Skipped, "no run goes on"},
		{"a created run", streamAPI{stream: silent}, 25 * time.Second, true, Failed, "not one byte"},
		{"a created run that has ended", streamAPI{stream: silent, refuses: 409}, 25 * time.Second, true, Failed, "not one byte"},
		{"a created run that stays", streamAPI{stream: silent, refuses: 403}, 25 * time.Second, true, Warning, "could not be aborted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(&tt.api)})
				if err != nil {
					t.Fatal(err)
				}
				defer api.Close()
				d := newDoctor(Options{API: api, Caller: client.Caller{Key: "k"}, StreamWait: tt.wait})
				if tt.create {
					d.CreateRun = &client.CreateRunRequest{Intent: "x"}
				}
				d.checkStream(t.Context())
				checkOne(t, d.Report, tt.status, tt.says)
				if want := map[bool]int{true: 1}[tt.create]; tt.api.created != want || tt.api.aborted != want {
					t.Errorf("%d runs were created, %d aborted", tt.api.created, tt.api.aborted)
				}
			})
		})
	}
}

// newDoctor returns a doctor with an empty report.
func newDoctor(o Options) *doctor {
	o.Announce = func(string) {}
	return &doctor{o, &Report{Version: "1.2.3", Hide: func(text string) string { return text }}}
}

// checkOne checks that a report has one check that is not ok, or none but such ones.
func checkOne(t *testing.T, r *Report, status Status, says string) {
	t.Helper()
	var found []Check
	for _, c := range r.Checks {
		if c.Status != OK || status == OK {
			found = append(found, c)
		}
	}
	if len(found) == 0 || found[len(found)-1].Status != status || !strings.Contains(found[len(found)-1].Detail, says) {
		t.Errorf("got %+v, want %s, %q", r.Checks, status, says)
	}
	for _, c := range r.Checks {
		if (c.Status == Failed || c.Status == Warning) && c.Fix == "" {
			t.Errorf("%+v has no fix", c)
		}
	}
}
