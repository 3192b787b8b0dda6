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

// clients are clients of many kinds that connect, do something and leave.
type clients struct {
	url     string
	callers int

	mu    sync.Mutex // guards count
	count map[string]int
}

func newClients(url string, callers int) *clients {
	return &clients{url: url, callers: callers, count: map[string]int{}}
}

// start runs them until ctx is done. The channel is closed when all have left.
func (c *clients) start(ctx context.Context) (gone <-chan struct{}) {
	var all sync.WaitGroup
	for range c.callers {
		all.Go(func() {
			for ctx.Err() == nil {
				c.addResult(c.visit(ctx), "visits")
				pause(ctx, time.Duration(rand.IntN(400))*time.Millisecond)
			}
		})
	}
	all.Go(func() {
		for pause(ctx, 200*time.Millisecond) {
			c.addResult(c.sendBadRequest(ctx), "bad requests")
		}
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.Wait()
	}()
	return ended
}

// internalErrors counts answers that no fault of the API explains.
const internalErrors = "internal errors"

// checkErrors returns an error if the server answered internal errors.
func (c *clients) checkErrors() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.count[internalErrors]; n > 0 {
		return fmt.Errorf("the server answered %d internal errors", n)
	}
	return nil
}

// addResult counts an action, and whether it failed.
func (c *clients) addResult(err error, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what]++
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // the client's own
	case strings.Contains(err.Error(), "internal error"):
		c.count[internalErrors]++
	default:
		c.count[what+" that failed"]++
	}
}

// String lists what they did.
func (c *clients) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var said []string
	for _, what := range slices.Sorted(maps.Keys(c.count)) {
		said = append(said, fmt.Sprintf("%d %s", c.count[what], what))
	}
	return strings.Join(said, ", ")
}

// visitor is one connected client.
type visitor struct {
	*sdk.ClientSession
	clients *clients
	changed chan struct{} // has room for one update of a resource
}

// visit connects with one of the protocol revisions, does some actions, and leaves.
// Every other client cuts its connections first.
func (c *clients) visit(ctx context.Context) error {
	l := &link{key: keys()[rand.IntN(len(keys()))]}
	l.base = &http.Transport{DialContext: l.dial}
	defer l.cut()
	v := &visitor{clients: c, changed: make(chan struct{}, 1)}
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
	v.ClientSession, err = me.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: c.url, HTTPClient: &http.Client{Transport: l}, MaxRetries: -1},
		&sdk.ClientSessionOptions{ProtocolVersion: versions[rand.IntN(len(versions))]})
	if err != nil {
		return err
	}
	defer v.Close()
	actions := []func(context.Context, *visitor) error{waitForRun, decideRun, watchRun, abortRun, cancelWait, listAll}
	for range 1 + rand.IntN(4) {
		if !pause(ctx, time.Duration(rand.IntN(400))*time.Millisecond) {
			break
		}
		if err := actions[rand.IntN(len(actions))](ctx, v); err != nil {
			return err
		}
	}
	if rand.IntN(2) == 0 {
		l.cut()
	}
	return nil
}

// call calls a tool. An error result is no error here, because the upstream has
// faults.
func (v *visitor) call(ctx context.Context, tool string, args map[string]any) (got tools.RunResult, err error) {
	params := &sdk.CallToolParams{Name: tool, Arguments: args}
	params.SetProgressToken(tool)
	result, err := v.CallTool(ctx, params)
	if err == nil && result.IsError {
		v.clients.addResult(nil, "error results")
		return got, nil
	}
	v.clients.addResult(err, tool)
	if err == nil {
		err = json.Unmarshal([]byte(result.Content[0].(*sdk.TextContent).Text), &got)
	}
	return got, err
}

// create starts a run and waits that many seconds for its end.
func (v *visitor) create(ctx context.Context, behaviour, strategy string, seconds int) (tools.RunResult, error) {
	args := map[string]any{"intent": "soak", "context": "sandbox: " + behaviour, "waitSeconds": seconds}
	if strategy != "" {
		args["approvalStrategy"] = strategy
	}
	return v.call(ctx, "create_run", args)
}

// link holds the connections of one client, to cut them.
type link struct {
	key  string
	base *http.Transport

	mu     sync.Mutex // guards the rest
	conns  []net.Conn
	closed bool
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case l.closed:
		conn.Close()
		return nil, net.ErrClosed
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, net.ErrClosed
	}
	r = r.Clone(r.Context())
	r.Header.Set("x-api-key", l.key)
	return l.base.RoundTrip(r)
}

// cut closes all connections and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, conn := range l.conns {
		conn.Close()
	}
}
