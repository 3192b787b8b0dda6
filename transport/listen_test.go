package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// listenTo is a listen on resources of a name and a number.
func listenTo(id, name string, n int) string {
	uris := make([]string, n)
	for i := range uris {
		uris[i] = name + strconv.Itoa(i)
	}
	text, _ := json.Marshal(uris)
	return modern(id, "subscriptions/listen", `"notifications":{"resourceSubscriptions":`+string(text)+`}`)
}

// acknowledged is what an acknowledgement honours.
func acknowledged(t *testing.T, line string) []string {
	t.Helper()
	var m struct {
		Method string
		Params struct {
			Notifications struct{ ResourceSubscriptions []string }
		}
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.Method != "notifications/subscriptions/acknowledged" {
		t.Fatalf("not an acknowledgement: %v: %s", err, line)
	}
	return m.Params.Notifications.ResourceSubscriptions
}

// TestWatchesBeginTogether, a few at once, and are told in the order asked for.
func TestWatchesBeginTogether(t *testing.T) {
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
		go func() { added <- s.addAll(t.Context(), uris) }()
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

// TestListenToTooMuch asks upstream for no more than may be watched, though none
// of it is there.
func TestListenToTooMuch(t *testing.T) {
	var asked atomic.Int64
	w := serve(t, newFixture().srv, Options{Watch: func(context.Context, string, func(map[string]any)) (func(), error) {
		asked.Add(1)
		return nil, fmt.Errorf("upstream said 404: %w", server.ErrResourceNotFound)
	}})
	w.send(listenTo("1", "run://", 3*maxWatched))
	if got := acknowledged(t, w.next()); len(got) != 0 || asked.Load() != maxWatched {
		t.Fatalf("acknowledged %q, asked for %d", got, asked.Load())
	}
}

// TestAcknowledgementComesFirst, though everything changes before it.
func TestAcknowledgementComesFirst(t *testing.T) {
	w := serve(t, newFixture().srv, Options{Watch: func(_ context.Context, uri string, changed func(map[string]any)) (func(), error) {
		changed(map[string]any{"state": "new"})
		return nil, nil
	}})
	w.send(listenTo("1", "run://", maxWatched))
	if got := acknowledged(t, w.next()); len(got) != maxWatched {
		t.Fatalf("acknowledged %d", len(got))
	}
	told := map[string]bool{}
	for range maxWatched {
		line := w.next()
		if told[line] || !strings.Contains(line, `"io.modelcontextprotocol/subscriptionId":1,"state":"new"`) {
			t.Fatal(line)
		}
		told[line] = true
	}
}

// TestUpdatesLeaveRoomForTheAcknowledgement, which mcp-go drops where a call has
// no room for one more notification.
func TestUpdatesLeaveRoomForTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := parse([]byte(listenTo("1", "run://", 1)))
		c, _ := newPeer(Options{Watch: newWatching().watch}, nil, nil).begin(t.Context(), m)
		go c.noteUpdate(t.Context(), "run://0", nil)
		synctest.Wait()
		if n := len(c.notes); n != 0 {
			t.Errorf("%d notifications before the acknowledgement", n)
		}
		p := pump{call: c, out: &recorded{}}
		n := updated("")
		n.Method = mcp.MethodNotificationSubscriptionsAcknowledged
		p.note(n)
		synctest.Wait()
		if n := len(c.notes); n != 1 {
			t.Errorf("%d notifications after it", n)
		}
	})
}

// TestListenSurvivesAPanic of a Watch: the listen is answered, and nothing of it
// stays watched.
func TestListenSurvivesAPanic(t *testing.T) {
	ws := newWatching()
	w := serve(t, newFixture().srv, Options{Watch: func(ctx context.Context, uri string, changed func(map[string]any)) (func(), error) {
		if uri == "run://3" {
			panic("the secret of the panic")
		}
		return ws.watch(ctx, uri, changed)
	}})
	w.send(listenTo("1", "run://", 20))
	w.expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"` + internalError + `"}}`)
	if n := ws.left(); n != 0 {
		t.Fatalf("%d still watched", n)
	}
}
