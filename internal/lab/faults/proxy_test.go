package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// fault is one thing that the proxy does for a while.
type fault struct {
	kind   string // a toxic's type, "freeze" or "down"
	stream string // upstream or downstream, "" for down
	attrs  map[string]int
	hold   time.Duration
	rest   time.Duration // of peace, after it
	// with is a slowness in the other direction meanwhile. There are never two
	// toxics in one direction: removing one behind a closed one blocks the proxy.
	with *fault
}

func (f fault) String() string {
	text := fmt.Sprintf("%s %s %v %v", f.kind, f.stream, f.attrs, f.hold)
	if f.with != nil {
		text += " with " + f.with.kind
	}
	return text
}

// newSchedule returns the faults of a seed: each kind in each direction, a
// real freeze of three seconds among them, in any order. They take about 12 s.
func newSchedule(r *rand.Rand) []fault {
	long := pick(r, "upstream", "downstream")
	faults := []fault{{kind: "down"}, {kind: "down"}}
	for _, stream := range []string{"upstream", "downstream"} {
		for _, kind := range []string{"latency", "slicer", "bandwidth", "limit_data", "reset_peer", "timeout", "freeze"} {
			f := fault{kind: kind, stream: stream}
			if kind == "freeze" && stream == long {
				f.hold = 3*time.Second + milliseconds(r, 0, 500)
			}
			faults = append(faults, f)
		}
	}
	r.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	for i := range faults {
		f := &faults[i]
		f.attrs = attributes(r, f.kind)
		f.rest = milliseconds(r, 50, 250)
		if f.hold == 0 {
			f.hold = milliseconds(r, 200, 600)
		}
		if f.stream != "" && r.IntN(2) == 0 {
			kind := pick(r, "latency", "slicer", "bandwidth")
			f.with = &fault{kind: kind, stream: opposite(f.stream), attrs: attributes(r, kind)}
		}
	}
	return faults
}

func milliseconds(r *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+r.IntN(to-from)) * time.Millisecond
}

func opposite(stream string) string {
	if stream == "upstream" {
		return "downstream"
	}
	return "upstream"
}

// attributes returns a toxic's settings, in its own units.
func attributes(r *rand.Rand, kind string) map[string]int {
	switch kind {
	case "latency":
		return map[string]int{"latency": 20 + r.IntN(150), "jitter": r.IntN(100)}
	case "slicer":
		return map[string]int{"average_size": 200 + r.IntN(1000), "size_variation": 100, "delay": r.IntN(200)}
	case "bandwidth":
		return map[string]int{"rate": 20 + r.IntN(200)}
	case "limit_data":
		return map[string]int{"bytes": pick(r, 50, 300, 1000, 20_000, 200_000)}
	case "reset_peer":
		return map[string]int{"timeout": r.IntN(200)}
	case "timeout":
		return map[string]int{"timeout": 50 + r.IntN(300)}
	default:
		return map[string]int{}
	}
}

// breaker is a proxy and what was done to it.
type breaker struct {
	server   *httptest.Server // what stands behind
	upstream string
	listen   string

	mu    sync.Mutex // guards the rest
	proxy *toxiproxy.Proxy
	count map[string]int
	done  []string
	stuck int // proxies that had to be given up
}

func newBreaker(t *testing.T, server *httptest.Server) *breaker {
	t.Helper()
	b := &breaker{server: server, upstream: server.Listener.Addr().String(), count: map[string]int{}}
	for range 100 {
		// Below the ports that systems give out by themselves: while the proxy
		// is down, no connection of anybody's may take its address.
		b.listen = fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(20_000))
		b.proxy = b.fresh()
		if b.proxy.Start() == nil {
			return b
		}
	}
	t.Fatal("no address for the proxy")
	return nil
}

func (b *breaker) fresh() *toxiproxy.Proxy {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	return toxiproxy.NewProxy(server, "runs", b.listen, b.upstream)
}

func (b *breaker) url() string { return "http://" + b.listen }

// perform does what the schedule says. At its end, or at the end of ctx, the
// proxy is up and does nothing.
func (b *breaker) perform(ctx context.Context, schedule []fault) {
	for _, f := range schedule {
		if ctx.Err() != nil {
			return
		}
		b.apply(ctx, f)
		pause(ctx, f.rest)
	}
}

// apply lets one fault happen and heals it.
func (b *breaker) apply(ctx context.Context, f fault) {
	b.note(f)
	if f.kind == "down" {
		b.bounded(func(p *toxiproxy.Proxy) { p.Stop() })
		pause(ctx, f.hold)
		b.up()
		return
	}
	b.bounded(func(p *toxiproxy.Proxy) {
		add(p, f)
		if f.with != nil {
			add(p, *f.with)
		}
	})
	pause(ctx, f.hold)
	b.bounded(func(p *toxiproxy.Proxy) { p.Toxics.ResetToxics(context.Background()) })
}

func (b *breaker) note(f fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, f.String())
	b.count[f.kind]++
	if f.with != nil {
		b.count[f.with.kind]++
	}
}

// add panics on an error: the schedule asks for what does not exist.
func add(p *toxiproxy.Proxy, f fault) {
	kind := f.kind
	if kind == "freeze" {
		kind = "timeout" // of zero: nothing passes until it is removed, and then the connection closes
	}
	toxic, err := json.Marshal(map[string]any{"type": kind, "stream": f.stream, "attributes": f.attrs})
	if err != nil {
		panic(err)
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(toxic))); err != nil {
		panic(err)
	}
}

// bounded does something to the proxy, which may block for ever (see
// TestMain): then another takes its place and its address.
func (b *breaker) bounded(do func(*toxiproxy.Proxy)) {
	b.mu.Lock()
	p := b.proxy
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(p)
	}()
	timer := time.NewTimer(3 * time.Second)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	go p.Stop() // closes the listener, then may block as well
	b.server.CloseClientConnections()
	b.mu.Lock()
	b.stuck++
	b.proxy = b.fresh()
	b.mu.Unlock()
	b.up()
}

// up starts the proxy, as soon as its address is free.
func (b *breaker) up() {
	b.mu.Lock()
	p := b.proxy
	b.mu.Unlock()
	for range 200 {
		if p.Start() == nil {
			return
		}
		pause(context.Background(), 20*time.Millisecond)
	}
	panic("the proxy's address is taken: " + b.listen)
}

func (b *breaker) close() {
	b.mu.Lock()
	p := b.proxy
	b.mu.Unlock()
	p.Stop()
}

// applied returns how often which toxic was used.
func (b *breaker) applied() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	total := 0
	var each []string
	for _, kind := range slices.Sorted(maps.Keys(b.count)) {
		total += b.count[kind]
		each = append(each, fmt.Sprintf("%s %d", kind, b.count[kind]))
	}
	text := fmt.Sprintf("%d (%s)", total, strings.Join(each, ", "))
	if b.stuck > 0 {
		text += fmt.Sprintf(", %d proxies got stuck", b.stuck)
	}
	return text
}

func (b *breaker) history() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.done, "; ")
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
