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

// fault is one fault of the proxy, for a time.
type fault struct {
	kind   string // a toxic's type, "freeze" or "down"
	stream string // upstream or downstream, "" for down
	attrs  map[string]int
	hold   time.Duration
	rest   time.Duration // without a fault, after it
	// with is a slow other direction at the same time. One direction never has two
	// toxics: removing one behind a closed one blocks the proxy.
	with *fault
}

func (f fault) String() string {
	text := fmt.Sprintf("%s %s %v %v", f.kind, f.stream, f.attrs, f.hold)
	if f.with != nil {
		text += " with " + f.with.kind
	}
	return text
}

// newSchedule returns the faults of a seed: each kind in each direction, and one
// freeze of three seconds, in random order. They take about 12 s.
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

// faultyProxy is a proxy and the faults it had.
type faultyProxy struct {
	server   *httptest.Server // the sandbox behind it
	upstream string
	listen   string

	mu    sync.Mutex // guards the rest
	proxy *toxiproxy.Proxy
	count map[string]int
	done  []string
	stuck int // proxies that blocked and were replaced
}

func newFaultyProxy(t *testing.T, server *httptest.Server) *faultyProxy {
	t.Helper()
	b := &faultyProxy{server: server, upstream: server.Listener.Addr().String(), count: map[string]int{}}
	for range 100 {
		// Below the ephemeral ports: while the proxy is down, no connection of
		// another program may take its address.
		b.listen = fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(20_000))
		b.proxy = b.newProxy()
		if b.proxy.Start() == nil {
			return b
		}
	}
	t.Fatal("no address for the proxy")
	return nil
}

func (b *faultyProxy) newProxy() *toxiproxy.Proxy {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	return toxiproxy.NewProxy(server, "runs", b.listen, b.upstream)
}

func (b *faultyProxy) url() string { return "http://" + b.listen }

// runSchedule applies the faults one after another. Afterwards the proxy is up and has
// no fault.
func (b *faultyProxy) runSchedule(ctx context.Context, schedule []fault) {
	for _, f := range schedule {
		if ctx.Err() != nil {
			return
		}
		b.apply(ctx, f)
		pause(ctx, f.rest)
	}
}

// apply applies one fault and ends it.
func (b *faultyProxy) apply(ctx context.Context, f fault) {
	b.recordFault(f)
	if f.kind == "down" {
		b.withTimeout(func(p *toxiproxy.Proxy) { p.Stop() })
		pause(ctx, f.hold)
		b.startProxy()
		return
	}
	b.withTimeout(func(p *toxiproxy.Proxy) {
		addToxic(p, f)
		if f.with != nil {
			addToxic(p, *f.with)
		}
	})
	pause(ctx, f.hold)
	b.withTimeout(func(p *toxiproxy.Proxy) { p.Toxics.ResetToxics(context.Background()) })
}

func (b *faultyProxy) recordFault(f fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, f.String())
	b.count[f.kind]++
	if f.with != nil {
		b.count[f.with.kind]++
	}
}

// addToxic panics on an error, which is a mistake in the schedule.
func addToxic(p *toxiproxy.Proxy, f fault) {
	kind := f.kind
	if kind == "freeze" {
		kind = "timeout" // without a time: nothing passes until it is removed, then the connection closes
	}
	toxic, err := json.Marshal(map[string]any{"type": kind, "stream": f.stream, "attributes": f.attrs})
	if err != nil {
		panic(err)
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(toxic))); err != nil {
		panic(err)
	}
}

// withTimeout calls do with the proxy. If that blocks for ever (see TestMain), another
// proxy takes the address.
func (b *faultyProxy) withTimeout(do func(*toxiproxy.Proxy)) {
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
	go p.Stop() // closes the listener, then may block, too
	b.server.CloseClientConnections()
	b.mu.Lock()
	b.stuck++
	b.proxy = b.newProxy()
	b.mu.Unlock()
	b.startProxy()
}

// startProxy starts the proxy as soon as its address is free.
func (b *faultyProxy) startProxy() {
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

func (b *faultyProxy) close() {
	b.mu.Lock()
	p := b.proxy
	b.mu.Unlock()
	p.Stop()
}

// applied returns how often each toxic was used.
func (b *faultyProxy) applied() string {
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

func (b *faultyProxy) history() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.done, "; ")
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
