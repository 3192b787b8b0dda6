package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/tools"
)

// crowd are clients of many kinds who come, do something and go.
type crowd struct {
	url     string
	callers int

	mu    sync.Mutex // guards count
	count map[string]int
}

func newCrowd(url string, callers int) *crowd {
	return &crowd{url: url, callers: callers, count: map[string]int{}}
}

// start lets them come until ctx is done. The channel is closed when all have gone.
func (c *crowd) start(ctx context.Context) (gone <-chan struct{}) {
	var all sync.WaitGroup
	for range c.callers {
		all.Go(func() {
			for ctx.Err() == nil {
				c.note(c.visit(ctx), "visits")
				pause(ctx, time.Duration(rand.IntN(400))*time.Millisecond)
			}
		})
	}
	all.Go(func() {
		for pause(ctx, 200*time.Millisecond) {
			c.note(c.misbehave(ctx), "bad requests")
		}
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.Wait()
	}()
	return ended
}

// internal counts answers that no fault of the API excuses.
const internal = "internal errors"

// blameless returns an error where the server itself failed.
func (c *crowd) blameless() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.count[internal]; n > 0 {
		return fmt.Errorf("the server answered %d internal errors", n)
	}
	return nil
}

// note counts a thing done, and what failed of it.
func (c *crowd) note(err error, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what]++
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // ours
	case strings.Contains(err.Error(), "internal error"):
		c.count[internal]++
	default:
		c.count[what+" that failed"]++
	}
}

// String tells what they did.
func (c *crowd) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var said []string
	for _, what := range slices.Sorted(maps.Keys(c.count)) {
		said = append(said, fmt.Sprintf("%d %s", c.count[what], what))
	}
	return strings.Join(said, ", ")
}

// visitor is a client while it is there.
type visitor struct {
	*sdk.ClientSession
	crowd   *crowd
	changed chan struct{} // has room for one: a resource was updated
}

// visit connects in one of the eras, does some things, and goes: with a good
// bye, or by cutting its connections.
func (c *crowd) visit(ctx context.Context) error {
	line := &line{key: keys()[rand.IntN(len(keys()))]}
	line.base = &http.Transport{DialContext: line.dial}
	defer line.cut()
	v := &visitor{crowd: c, changed: make(chan struct{}, 1)}
	me := sdk.NewClient(&sdk.Implementation{Name: "soak", Version: "1"}, &sdk.ClientOptions{
		ResourceUpdatedHandler: func(context.Context, *sdk.ResourceUpdatedNotificationRequest) {
			select {
			case v.changed <- struct{}{}:
			default:
			}
		},
	})
	versions := []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "2026-07-28"}
	var err error
	v.ClientSession, err = me.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: c.url, HTTPClient: &http.Client{Transport: line}, MaxRetries: -1},
		&sdk.ClientSessionOptions{ProtocolVersion: versions[rand.IntN(len(versions))]})
	if err != nil {
		return err
	}
	defer v.Close()
	deeds := []func(context.Context, *visitor) error{waitForRun, decide, subscribe, abort, walkAway, look}
	for range 1 + rand.IntN(4) {
		if !pause(ctx, time.Duration(rand.IntN(400))*time.Millisecond) {
			break
		}
		if err := deeds[rand.IntN(len(deeds))](ctx, v); err != nil {
			return err
		}
	}
	if rand.IntN(2) == 0 {
		line.cut()
	}
	return nil
}

// call calls a tool. An error result is none of its errors: there are faults.
func (v *visitor) call(ctx context.Context, tool string, args map[string]any) (got tools.RunResult, err error) {
	params := &sdk.CallToolParams{Name: tool, Arguments: args}
	params.SetProgressToken(tool)
	result, err := v.CallTool(ctx, params)
	if err == nil && result.IsError {
		v.crowd.note(nil, "error results")
		return got, nil
	}
	v.crowd.note(err, tool)
	if err == nil {
		err = json.Unmarshal([]byte(result.Content[0].(*sdk.TextContent).Text), &got)
	}
	return got, err
}

// create starts a run, and waits for so many seconds.
func (v *visitor) create(ctx context.Context, behaviour, strategy string, seconds int) (tools.RunResult, error) {
	args := map[string]any{"intent": "soak", "context": "sandbox: " + behaviour, "waitSeconds": seconds}
	if strategy != "" {
		args["approvalStrategy"] = strategy
	}
	return v.call(ctx, "create_run", args)
}

// line is what connects one client: it can be cut.
type line struct {
	key  string
	base *http.Transport

	mu   sync.Mutex // guards the rest
	ends []net.Conn
	dead bool
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case l.dead:
		conn.Close()
		return nil, net.ErrClosed
	}
	l.ends = append(l.ends, conn)
	return conn, nil
}

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	dead := l.dead
	l.mu.Unlock()
	if dead {
		return nil, net.ErrClosed
	}
	r = r.Clone(r.Context())
	r.Header.Set("x-api-key", l.key)
	return l.base.RoundTrip(r)
}

// cut breaks all connections, and lets no new one be made.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, conn := range l.ends {
		conn.Close()
	}
}
