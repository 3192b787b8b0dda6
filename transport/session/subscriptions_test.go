package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/jsonrpc"
)

// TestUpdatesCoalesce: a busy receiver gets the last state of a resource once,
// and changes never wait.
func TestUpdatesCoalesce(t *testing.T) {
	var changes [3]func(map[string]any)
	i := 0
	sent := make(chan string)
	s := newSubscriptions(func(_ context.Context, _ string, changed func(map[string]any)) (func(), error) {
		changes[i] = changed
		i++
		changed(map[string]any{"n": "early"}) // before Watch returns
		return nil, nil
	}, func(ctx context.Context, uri string, meta map[string]any) error {
		select {
		case sent <- fmt.Sprint(uri, meta["n"]):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	for _, uri := range []string{"a", "b", "c"} {
		if err := s.watchResource(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
	}
	if got := fixture.Receive(t, sent); got != "aearly" {
		t.Fatal(got)
	}
	if got := fixture.Receive(t, sent); got != "bearly" {
		t.Fatal(got)
	}
	// The update of "c" waits for the receiver. Meanwhile much changes.
	fixture.Settle(t, "changed", 0, func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.changed)
	})
	for n := range 100_000 {
		changes[n%3](map[string]any{"n": n})
	}
	if got := fixture.Receive(t, sent); got != "cearly" {
		t.Fatal(got)
	}
	last := map[string]bool{"a99999": true, "b99997": true, "c99998": true}
	for range 3 {
		if got := fixture.Receive(t, sent); !last[got] {
			t.Fatal(got)
		}
	}
	s.close()
	s.close()
	changes[0](map[string]any{"n": "late"})
	if err := s.watchResource(t.Context(), "d"); err == nil {
		t.Fatal("added to what is closed")
	}
}

func TestSubscriptionsAreLimited(t *testing.T) {
	ws := fixture.NewWatching()
	s := newSubscriptions(ws.Watch, func(context.Context, string, map[string]any) error { return nil })
	defer s.close()
	for i := range maxWatched {
		if err := s.watchResource(t.Context(), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.watchResource(t.Context(), "one more"); err == nil || !strings.Contains(err.Error(), "the limit is 1000") {
		t.Fatal(err)
	}
	s.unwatchResource("7", nil)
	if err := s.watchResource(t.Context(), "one more"); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedWatch: a refused resource is not watched, and can be asked for again.
func TestRefusedWatch(t *testing.T) {
	refused := errors.New("refused")
	answer := refused
	s := newSubscriptions(func(context.Context, string, func(map[string]any)) (func(), error) { return nil, answer }, nil)
	defer s.close()
	if err := s.watchResource(t.Context(), "a"); err != refused || len(s.uris()) != 0 {
		t.Errorf("%v, watched %q", err, s.uris())
	}
	answer = nil
	if err := s.watchResource(t.Context(), "a"); err != nil || len(s.uris()) != 1 {
		t.Errorf("%v, watched %q", err, s.uris())
	}
}

// TestRefusedAfterUnwatch: the resource was unwatched and watched again while its
// first watching was not answered. The first one's refusal leaves the second.
func TestRefusedAfterUnwatch(t *testing.T) {
	first := true
	var s *subscriptions
	s = newSubscriptions(func(ctx context.Context, uri string, _ func(map[string]any)) (func(), error) {
		if !first {
			return nil, nil
		}
		first = false
		s.unwatchResource(uri, nil)
		if err := s.watchResource(t.Context(), uri); err != nil {
			t.Error(err)
		}
		return nil, errors.New("refused")
	}, nil)
	defer s.close()
	if err := s.watchResource(t.Context(), "a"); err == nil || len(s.uris()) != 1 {
		t.Errorf("%v, watched %q", err, s.uris())
	}
}

// TestCloseWaits: after close no update is sent.
func TestCloseWaits(t *testing.T) {
	ws := fixture.NewWatching()
	sending := make(chan struct{})
	over := false
	s := newSubscriptions(ws.Watch, func(ctx context.Context, _ string, _ map[string]any) error {
		close(sending)
		<-ctx.Done()
		<-time.After(20 * time.Millisecond) // a write under way takes its time
		over = true
		return ctx.Err()
	})
	if err := s.watchResource(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	fixture.Receive(t, ws.Changed)(nil)
	fixture.Receive(t, sending)
	s.close()
	if !over {
		t.Fatal("close did not wait")
	}
}

// TestWatchAll: resources are watched a few at once, and listed in the order of
// the request.
func TestWatchAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under atomic.Int64
		release := make(chan struct{})
		s := newSubscriptions(func(_ context.Context, uri string, _ func(map[string]any)) (func(), error) {
			under.Add(1)
			defer under.Add(-1)
			<-release
			if strings.HasSuffix(uri, "7") {
				return nil, server.ErrResourceNotFound
			}
			return nil, nil
		}, nil)
		defer s.close()
		var uris, want []string
		for i := range 20 {
			uris = append(uris, strconv.Itoa(i))
			if i%10 != 7 {
				want = append(want, uris[i])
			}
		}
		added := make(chan []string)
		go func() {
			watched, err := s.watchAll(t.Context(), uris)
			if err != nil {
				t.Error(err)
			}
			added <- watched
		}()
		synctest.Wait()
		if n := under.Load(); n != watchedAtOnce {
			t.Errorf("%d at once", n)
		}
		close(release)
		if got := <-added; !slices.Equal(got, want) {
			t.Errorf("watched %q", got)
		}
	})
}

// TestWatchAllOfRefusedCaller: when Watch refuses the caller, the resources that are
// left are not tried, and those under way are cancelled.
func TestWatchAllOfRefusedCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tried atomic.Int64
		refused := &RefusedCallerError{errors.New("no such caller")}
		s := newSubscriptions(func(ctx context.Context, _ string, _ func(map[string]any)) (func(), error) {
			if tried.Add(1) == watchedAtOnce {
				return nil, fmt.Errorf("wrapped: %w", refused)
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil)
		defer s.close()
		watched, err := s.watchAll(t.Context(), strings.Fields(strings.Repeat("a b c d e f g h i j ", 100)))
		if !errors.Is(err, refused) || watched != nil || len(s.uris()) != 0 {
			t.Errorf("watched %q, %v", watched, err)
		}
		if n := tried.Load(); n != watchedAtOnce {
			t.Errorf("%d were tried", n)
		}
	})
}

// TestUpdatesLeaveRoomForTheAcknowledgement: mcp-go drops the acknowledgement of
// a listen if the call has no room for one more notification.
func TestUpdatesLeaveRoomForTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := jsonrpc.Parse([]byte(fixture.Stateless("1", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["run://0"]}`)))
		c, _ := NewConnection(Config{Watch: fixture.NewWatching().Watch}).registerCall(t.Context(), m, nil)
		c.addSubscriptions()
		go c.sendUpdate(t.Context(), "run://0", nil)
		synctest.Wait()
		if n := len(c.notifications); n != 0 {
			t.Errorf("%d notifications before the acknowledgement", n)
		}
		w := callWriter{call: c, out: &recorder{}}
		n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
		n.Method = mcp.MethodNotificationSubscriptionsAcknowledged
		w.writeNotification(n)
		synctest.Wait()
		if n := len(c.notifications); n != 1 {
			t.Errorf("%d notifications after it", n)
		}
	})
}

// TestCoalescedUpdatesAreCounted: a change counts if the one before it was not sent yet.
func TestCoalescedUpdatesAreCounted(t *testing.T) {
	var change func(map[string]any)
	sent := make(chan struct{})
	s := newSubscriptions(func(_ context.Context, _ string, changed func(map[string]any)) (func(), error) {
		change = changed
		return nil, nil
	}, func(context.Context, string, map[string]any) error {
		sent <- struct{}{}
		return nil
	})
	defer s.close()
	s.counts = new(Counts)
	if err := s.watchResource(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	change(nil)
	fixture.Settle(t, "changed", 0, func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.changed)
	})
	for range 3 { // the first waits to be sent, the others are sent with it
		change(nil)
	}
	fixture.Receive(t, sent)
	fixture.Receive(t, sent)
	if n := s.counts.Coalesced.Load(); n != 2 {
		t.Errorf("%d updates were coalesced", n)
	}
}
