package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
)

// TestReadinessAsksSeldom holds that probes, however many, ask the API once in 5 s, and
// that the verdict follows the API.
func TestReadinessAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var answer atomic.Pointer[error]
		var log strings.Builder
		r := newReadiness(func(context.Context) error {
			asked.Add(1)
			time.Sleep(100 * time.Millisecond)
			if failed := answer.Load(); failed != nil {
				return *failed
			}
			return nil
		}, slog.New(slog.NewTextHandler(&log, nil)))
		defer r.close()
		checkAll := func(want string) {
			t.Helper()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					err := r.check()
					if got := map[bool]string{true: ""}[err == nil]; err != nil && err.Error() != want || err == nil && got != want {
						t.Errorf("got %v, want %q", err, want)
					}
				})
			}
			wg.Wait()
		}
		checkAll("")
		time.Sleep(readyAge - time.Second)
		checkAll("")
		if n := asked.Load(); n != 1 {
			t.Errorf("the API was asked %d times", n)
		}
		failed := error(&client.Error{Op: "probe", Message: "it refuses connections"})
		answer.Store(&failed)
		time.Sleep(time.Second)
		checkAll("it refuses connections")
		answer.Store(nil)
		time.Sleep(readyAge)
		checkAll("")
		if n := asked.Load(); n != 3 {
			t.Errorf("the API was asked %d times", n)
		}
		if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "not ready: ") || !strings.Contains(got, "ready again: ") {
			t.Errorf("the log says\n%s", got)
		}
	})
}

// TestReadinessIsQuick holds that a probe gets an answer within a second, even if the API
// gives none: at first that it is not known, later the verdict before.
func TestReadinessIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := true
		r := newReadiness(func(ctx context.Context) error {
			if hang {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		check := func(want error) {
			t.Helper()
			start := time.Now()
			if err := r.check(); !errors.Is(err, want) || time.Since(start) >= time.Second {
				t.Errorf("got %v after %s, want %v", err, time.Since(start), want)
			}
		}
		check(errNotKnown)
		time.Sleep(readyTimeout)
		check(context.DeadlineExceeded)
		hang = false
		time.Sleep(readyAge)
		check(nil)
		hang = true
		time.Sleep(readyAge)
		check(nil)
		r.close() // while the API is being asked
		check(context.Canceled)
	})
}
