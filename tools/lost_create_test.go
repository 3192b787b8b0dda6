package tools_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// lossy is an API that a test makes lose answers, and notes what arrives.
type lossy struct {
	answer func(w http.ResponseWriter, r *http.Request, n int, box http.Handler) bool // false lets the sandbox answer

	mu    sync.Mutex // guards the rest
	calls map[string]int
	query string // of the last list
}

func (l *lossy) front(box http.Handler) http.Handler {
	l.calls = map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.calls[r.Method]++
		n := l.calls[r.Method]
		if r.URL.Path == "/v1/runs" && r.Method == http.MethodGet {
			l.query = r.URL.RawQuery
		}
		l.mu.Unlock()
		if !l.answer(w, r, n, box) {
			box.ServeHTTP(w, r)
		}
	})
}

func (l *lossy) count(method string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[method]
}

// lose lets the sandbox act and cuts the connection.
func lose(_ http.ResponseWriter, r *http.Request, box http.Handler) {
	box.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// TestLostCreate: a create whose answer is lost is sent once; the failure
// names what it may have made, and says not to create again.
func TestLostCreate(t *testing.T) {
	tests := []struct {
		name   string
		create func(http.ResponseWriter, *http.Request, http.Handler)
		list   int // status, 0 lets the sandbox answer
		want   []string
	}{
		{"made", lose, 0, []string{"Runs with its intent", "(QUEUED, 20", "call get_run with its runId"}},
		{"not made", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(502) }, 0, []string{"no run with this intent was found just now", "may still appear", "In a minute look with list_runs"}},
		{"nobody can look", lose, 400, []string{"looking for its run failed", "In a minute look with list_runs"}},
		{"no API", lose, 403, []string{"something that is not the Run API answered the create", "the operator must check"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &lossy{answer: func(w http.ResponseWriter, r *http.Request, _ int, box http.Handler) bool {
				switch {
				case r.Method == http.MethodPost:
					tt.create(w, r, box)
					return true
				case tt.list > 0 && r.URL.Path == "/v1/runs":
					w.WriteHeader(tt.list)
					return true
				}
				return false
			}}
			bed := testbed.New(t, nil, l.front)
			f := testbed.Fail(t, bed.Connect(testbed.Newest, nil), "create_run", map[string]any{"intent": "Find overdue invoices", "context": "sandbox: queue_ms=60000"})
			if f.Code != "outcome_unknown" || f.Retryable || !strings.HasPrefix(f.NextStep, "Do not create it again.") || l.count(http.MethodPost) != 1 {
				t.Errorf("%d creates: %+v", l.count(http.MethodPost), f)
			}
			for _, want := range tt.want {
				if !strings.Contains(f.Message+f.NextStep, want) {
					t.Errorf("%q is not in %+v", want, f)
				}
			}
			if l.query != "page=1&pageSize=100&userId=user-1" {
				t.Errorf("looked with %q", l.query)
			}
		})
	}
}

// TestLostAbort: an abort may be sent again, and the run tells what became of
// it, as far as anything does.
func TestLostAbort(t *testing.T) {
	unavailable := func(w http.ResponseWriter) bool {
		w.WriteHeader(503)
		return true
	}
	tests := []struct {
		name    string
		answer  func(w http.ResponseWriter, r *http.Request, n int, box http.Handler) bool
		aborts  int
		summary string // of the result
		message string // of the failure
	}{
		{"lost on the way", func(w http.ResponseWriter, r *http.Request, n int, _ http.Handler) bool {
			return r.Method == http.MethodDelete && n == 1 && unavailable(w)
		}, 2, "The run was aborted", ""},
		{"its answer lost", func(_ http.ResponseWriter, r *http.Request, n int, box http.Handler) bool {
			if r.Method == http.MethodDelete && n == 1 {
				lose(nil, r, box)
			}
			return false
		}, 2, "CANCELED; whether by this call is unknown", ""},
		{"never arrives", func(w http.ResponseWriter, r *http.Request, _ int, _ http.Handler) bool {
			return r.Method == http.MethodDelete && unavailable(w)
		}, 3, "", "whether the run was told to stop is unknown; it has not ended yet"},
		{"nothing can be read", func(w http.ResponseWriter, r *http.Request, _ int, _ http.Handler) bool {
			return r.Method != http.MethodPost && unavailable(w)
		}, 3, "", "is unknown, and its state cannot be read"},
		{"its effect cannot be read", func(w http.ResponseWriter, r *http.Request, _ int, _ http.Handler) bool {
			return r.Method == http.MethodGet && unavailable(w)
		}, 1, "", "the run was told to stop, but"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &lossy{answer: tt.answer}
			s := testbed.New(t, nil, l.front).Connect(testbed.Newest, nil)
			run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: queue_ms=60000"})
			args := map[string]any{"runId": run.RunID}
			if tt.message == "" {
				if got := testbed.Call[tools.RunResult](t, s, "abort_run", args); got.Status != "CANCELED" || !strings.Contains(got.Summary, tt.summary) {
					t.Errorf("got %s: %s", got.Status, got.Summary)
				}
			} else if f := testbed.Fail(t, s, "abort_run", args); f.Code != "outcome_unknown" || !strings.Contains(f.Message, tt.message) || !strings.Contains(f.NextStep, "get_run") || !strings.Contains(f.NextStep, "abort_run may be called again") {
				t.Errorf("got %+v", f)
			}
			if n := l.count(http.MethodDelete); n != tt.aborts {
				t.Errorf("%d aborts were sent, want %d", n, tt.aborts)
			}
		})
	}
}
