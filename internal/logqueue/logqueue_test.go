package logqueue

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink is a destination whose Write waits for a ticket and can fail.
type sink struct {
	tickets chan error // what the next Write returns; nil channel: never waits
	mu      sync.Mutex
	writes  []string
}

func (s *sink) Write(p []byte) (int, error) {
	if s.tickets != nil {
		if err := <-s.tickets; err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.writes...)
}

// noted returns how many lines a note says were dropped, 0 for another line.
func noted(line string) (n int) {
	if m := regexp.MustCompile(`^time=\S+ level=WARN msg="log lines were dropped.*" lines=(\d+)\n$`).FindStringSubmatch(line); m != nil {
		fmt.Sscan(m[1], &n)
	}
	return n
}

// TestNobodyReads: no Write waits, the memory is bounded, and once the
// destination is read again the lines come whole and in order, with a note at
// the place where some are missing.
func TestNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{tickets: make(chan error)}
		w := New(s)
		const lines = 2_000
		write := func(i int) { fmt.Fprintf(w, "line %06d %s\n", i, strings.Repeat("x", 500)) }
		for i := range lines {
			write(i)
		}
		synctest.Wait()
		if w.held > limit || len(w.queue) > limit/500 {
			t.Errorf("%d bytes held in %d records", w.held, len(w.queue))
		}
		go func() { // read again
			for range 2 * lines {
				select {
				case s.tickets <- nil:
				case <-w.done:
					return
				}
			}
		}()
		synctest.Wait()
		write(lines)
		if !w.Close(time.Second) {
			t.Error("not all was written")
		}
		next, notes := 0, 0
		for _, line := range s.lines() {
			if n := noted(line); n > 0 {
				next += n
				notes++
				continue
			}
			if !strings.HasPrefix(line, fmt.Sprintf("line %06d x", next)) || !strings.HasSuffix(line, "x\n") {
				t.Fatalf("got %q, want line %d", line, next)
			}
			next++
		}
		if next != lines+1 || notes != 1 {
			t.Errorf("%d of %d lines are there or told of, by %d notes", next, lines+1, notes)
		}
	})
}

// TestQueueLimit: the queue takes a line of limit bytes, and drops a longer one.
func TestQueueLimit(t *testing.T) {
	for _, tt := range []struct{ bytes, dropped int }{{limit, 0}, {limit + 1, 1}} {
		s := &sink{}
		w := New(s)
		fmt.Fprintln(w, strings.Repeat("x", tt.bytes-1))
		w.Close(time.Second)
		lines := s.lines()
		if len(lines) != 1 || noted(lines[0]) != tt.dropped {
			t.Errorf("%d bytes: %d lines, want one that tells of %d dropped", tt.bytes, len(lines), tt.dropped)
		}
	}
}

// TestSlowReader gets few notes, though lines are dropped all the time.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{tickets: make(chan error)}
		w := New(s)
		for i := range 10 * limit / 1000 { // one is read of each ten
			if fmt.Fprintf(w, "%0999d\n", i); i%10 == 0 {
				s.tickets <- nil
				synctest.Wait()
			}
		}
		close(s.tickets)
		w.Close(time.Second)
		notes := 0
		for _, line := range s.lines() {
			if noted(line) > 0 {
				notes++
			}
		}
		if notes == 0 || notes > 5 {
			t.Errorf("%d notes among %d lines", notes, len(s.lines()))
		}
	})
}

// TestClose waits for the destination as long as it is told, and no longer.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{tickets: make(chan error)}
		w := New(s)
		fmt.Fprint(w, "one\n")
		fmt.Fprint(w, "two") // gets its line end
		start := time.Now()
		if w.Close(time.Second) || time.Since(start) != time.Second {
			t.Errorf("closed after %s", time.Since(start))
		}
		fmt.Fprint(w, "too late\n")
		close(s.tickets)
		<-w.done
		if got := strings.Join(s.lines()[:2], ""); got != "one\ntwo\n" || noted(s.lines()[2]) != 1 {
			t.Errorf("got %q", s.lines())
		}
		start = time.Now()
		w.Close(time.Second)
		if time.Since(start) != 0 {
			t.Errorf("a second Close took %s", time.Since(start))
		}
	})
}

// TestFailingDestination is tried with each line, not in a loop, and told of
// what it missed.
func TestFailingDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{tickets: make(chan error, 3)}
		w := New(s)
		for tries := range 2 { // a note and a line the second time
			for range tries + 1 {
				s.tickets <- errors.New("disk full")
			}
			fmt.Fprint(w, "lost\nlost\n")
			synctest.Wait()
			if len(s.tickets) > 0 {
				t.Fatal("it was not tried")
			}
		}
		close(s.tickets)
		fmt.Fprint(w, "back\n")
		if !w.Close(time.Second) || len(s.lines()) != 2 || noted(s.lines()[0]) != 4 || s.lines()[1] != "back\n" {
			t.Errorf("got %q", s.lines())
		}
	})
}

// torn is a destination that breaks off in the first line.
type torn struct{ text strings.Builder }

func (d *torn) Write(p []byte) (int, error) {
	if d.text.Len() == 0 {
		d.text.Write(p[:2])
		return 2, errors.New("disk full")
	}
	return d.text.Write(p)
}

// TestBrokenOffLine holds that a line that broke off does not run into the next one, and
// does not change how much the queue takes.
func TestBrokenOffLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &torn{}
		w := New(d)
		for _, line := range []string{"first\n", "second\n", strings.Repeat("x", limit-1), strings.Repeat("x", limit)} {
			fmt.Fprint(w, line)
			synctest.Wait()
		}
		w.Close(time.Minute)
		got := strings.SplitAfter(d.text.String(), "\n")
		if len(got) != 6 || got[0] != "fi\n" || noted(got[1]) != 1 || got[2] != "second\n" || len(got[3]) != limit || noted(got[4]) != 1 {
			t.Errorf("got %.200q", got)
		}
	})
}

// TestLargeLine never fits, and is told of at once.
func TestLargeLine(t *testing.T) {
	s := &sink{}
	w := New(s)
	w.Write(make([]byte, limit+1))
	if n, err := w.Write(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
	w.Close(time.Minute)
	if len(s.lines()) != 1 || noted(s.lines()[0]) != 1 {
		t.Errorf("got %q", s.lines())
	}
}

// TestManyWriters lose no line among them.
func TestManyWriters(t *testing.T) {
	s := &sink{}
	w := New(s)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				fmt.Fprint(w, "a line of one writer\n")
			}
		})
	}
	all.Wait()
	if w.Close(time.Minute); len(s.lines()) != 800 {
		t.Errorf("%d lines", len(s.lines()))
	}
}
