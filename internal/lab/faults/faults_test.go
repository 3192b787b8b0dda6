// Package faults tests the client and the feed through a proxy with faults, between
// them and the sandbox. Every stored event must reach every watcher once and in order,
// and every create and decision must take effect at most once. It is a module of its
// own, which keeps the proxy's dependencies out of the product's.
//
//	cd internal/lab/faults
//	go test -timeout 30m               20 seeds of 10,000 events: 3 minutes on 2 idle cores
//	go test -short                     3 seeds, as .ci/run does: half a minute
//	go test -race -short
//	go test -run TestFaults -seed 7    one seed again
//
// The last line sums up all seeds. A seed fixes what the runs, the watchers and the
// proxy do, and when. It does not fix which byte is sent at that moment, so a failure
// may need some repeats.
package faults

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/sandbox"
)

var (
	seeds  = flag.Int("seeds", 20, "how many seeds to run, from 1; 3 under -short")
	seed   = flag.Uint64("seed", 0, "run only this seed")
	events = flag.Int("events", 10_000, "how many events the runs of one seed have together")
)

const (
	runsPerSeed = 20
	// stepMS makes a run of 500 events last as long as the proxy's faults.
	stepMS = 20
	// seedLimit makes a run that hangs fail. A seed takes half a minute, or two
	// minutes under the race detector.
	seedLimit = 10 * time.Minute
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !isGiven("test.parallel") { // a seed waits for two thirds of its time
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // the bandwidth toxic logs to the global logger
	// A link of the proxy blocks for ever if its sink is gone. So does the proxy's
	// lock, if a toxic is removed meanwhile (Shopify/toxiproxy#558).
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).RemoveToxic.func1"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).chainAddToxic"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).chainAddToxic.func1"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).chainRemoveToxic"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).chainRemoveToxic.func1"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*Proxy).server"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*Proxy).freeBlocker"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*Proxy).Stop"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	)
}

// TestFaults follows 10,000 events per seed through a proxy that delays,
// slices, throttles, freezes, cuts, resets and goes away.
func TestFaults(t *testing.T) {
	var mu sync.Mutex // guards all
	var all tally
	start := time.Now()
	for _, n := range selectedSeeds() {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, n)
			b.run(t)
			b.report(t)
			mu.Lock()
			defer mu.Unlock()
			all.addTally(b.total)
		})
	}
	t.Cleanup(func() { // after the seeds
		fmt.Fprintf(os.Stdout, "fault run: %d seeds, %d events to %d watchers (%d seen): %d lost, %d duplicate, %d reordered; %.0f s\n",
			len(selectedSeeds()), all.stored, all.watchers, all.seen, all.lost, all.duplicate, all.reordered, time.Since(start).Seconds())
	})
}

// selectedSeeds returns the seeds of the flags.
func selectedSeeds() []uint64 {
	if *seed != 0 {
		return []uint64{*seed}
	}
	count := *seeds
	if testing.Short() && !isGiven("seeds") {
		count = 3
	}
	all := make([]uint64, count)
	for i := range all {
		all[i] = uint64(i + 1)
	}
	return all
}

// isGiven reports whether a flag is on the command line.
func isGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// bench is one seed: a sandbox behind the proxy, and one client and one hub before it,
// as in the server.
type bench struct {
	seed    uint64
	box     *sandbox.Sandbox
	callLog *callLog     // what the sandbox received
	direct  directClient // the sandbox without the proxy
	proxy   *faultyProxy
	api     *client.Client
	decider *approval.Decider
	hub     *feed.Hub
	start   time.Time
	conns   atomic.Int64 // from the proxy to the sandbox

	mu     sync.Mutex // guards the rest
	total  tally
	calls  callCount
	faults []string // one line each
}

func newBench(t *testing.T, n uint64) *bench {
	t.Helper()
	b := &bench{seed: n, box: sandbox.New(sandbox.Options{}), start: time.Now()}
	b.callLog = &callLog{next: b.box, tokens: map[string]int{}}
	server := httptest.NewUnstartedServer(b.callLog)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			b.conns.Add(1)
		}
	}
	server.Start()
	other := httptest.NewServer(b.callLog) // its connections have no faults
	b.direct = directClient{url: other.URL, http: other.Client()}
	b.proxy = newFaultyProxy(t, server)
	var err error
	if b.api, err = client.New(client.Options{URL: b.proxy.url()}); err != nil {
		t.Fatal(err)
	}
	b.decider = approval.NewDecider(b.api)
	r := b.random(0)
	b.hub = feed.NewHub(b.api, b.decider, feed.Options{
		Grace:     pick(r, 20*time.Millisecond, 2*time.Second),
		LogEvents: pick(r, 8, 32, 256),
	})
	t.Cleanup(func() {
		b.hub.Close()
		b.api.Close()
		b.proxy.close()
		b.box.Close()
		server.CloseClientConnections()
		server.Close()
		other.Close()
	})
	return b
}

// random returns the nth source of the seed. Each goroutine has one of its own.
func (b *bench) random(n int) *rand.Rand { return rand.New(rand.NewPCG(b.seed, uint64(n))) }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// run runs all of a seed and waits for it.
func (b *bench) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), seedLimit)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { b.proxy.runSchedule(ctx, newSchedule(b.random(1))) })
	for i := range runsPerSeed {
		wg.Go(func() { b.longRun(ctx, i, b.random(100+i)) })
	}
	for i := range approvers {
		wg.Go(func() { b.shortRuns(ctx, i, b.random(200+i)) })
	}
	wg.Wait()
	b.checkCalls(t.Context())
}

// addFault adds what the seed fails for.
func (b *bench) addFault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

// report prints the line of the seed, and fails the test for its faults.
func (b *bench) report(t *testing.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.box.Stats()
	fmt.Fprintf(os.Stdout, "seed %d: %d events to %d watchers (%d seen), lost %d, duplicate %d, reordered %d, %d reads repeated; "+
		"%d connections, %d streams; toxics %s; %s; %.1f s\n",
		b.seed, b.total.stored, b.total.watchers, b.total.seen, b.total.lost, b.total.duplicate, b.total.reordered, b.total.again,
		b.conns.Load(), s.StreamsOpened, b.proxy.applied(), b.calls, time.Since(b.start).Seconds())
	if want := *events / runsPerSeed * runsPerSeed; b.total.stored != want {
		b.faults = append(b.faults, fmt.Sprintf("the runs have %d events, want %d", b.total.stored, want))
	}
	if len(b.faults) == 0 {
		return
	}
	const shown = 20
	t.Errorf("%d faults:\n%s\nthe proxy did: %s\nrepeat with: go test -run TestFaults -seed %d -events %d",
		len(b.faults), strings.Join(b.faults[:min(shown, len(b.faults))], "\n"), b.proxy.history(), b.seed, *events)
}
