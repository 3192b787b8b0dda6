package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/tools"
)

// clients are good clients of many kinds that connect, do something and leave.
type clients struct {
	url     string
	callers int
	timed   timings

	mu       sync.Mutex // guards the rest
	count    map[string]int
	failures []string // the first maxFailures
}

// maxFailures is how many failures are reported in full.
const maxFailures = 20

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
	for n := range timedCallers {
		all.Go(func() {
			for ctx.Err() == nil {
				c.addResult(c.visitTimed(ctx, n), timedVisits)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.Wait()
	}()
	return ended
}

// checkErrors returns an error if anything failed by the server's fault. With short
// timeouts, a busy machine may be to blame: then internal errors alone count.
func (c *clients) checkErrors(shortTimeouts bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var counted []string
	for _, failure := range c.failures {
		if !shortTimeouts || strings.Contains(failure, "internal error") {
			counted = append(counted, failure)
		}
	}
	if len(counted) == 0 {
		return nil
	}
	return fmt.Errorf("good clients failed: %s", strings.Join(counted, "; "))
}

// addResult counts an action, and whether it failed.
func (c *clients) addResult(err error, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what]++
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // the client's own
		return
	case what != timedVisits && strings.Contains(err.Error(), "the Run API"):
		c.count[what+" that the API failed"]++
		return
	}
	c.count[what+" that failed"]++
	if len(c.failures) < maxFailures {
		c.failures = append(c.failures, fmt.Sprintf("%s: %v", what, err))
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
	link    *link
	changed chan struct{} // has room for one update of a resource
}

// visit connects, does some actions, and leaves. Every other client cuts its
// connections first.
func (c *clients) visit(ctx context.Context) error {
	versions := []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "2026-07-28"}
	v, err := c.connect(ctx, keys()[rand.IntN(len(keys()))], versions[rand.IntN(len(versions))])
	if err != nil {
		return err
	}
	defer v.leave()
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
		v.link.cut()
	}
	return nil
}

// connect connects with a protocol revision.
func (c *clients) connect(ctx context.Context, key, version string) (*visitor, error) {
	v := &visitor{clients: c, link: newLink(key), changed: make(chan struct{}, 1)}
	me := sdk.NewClient(&sdk.Implementation{Name: "soak", Version: "1"}, &sdk.ClientOptions{
		ResourceUpdatedHandler: func(context.Context, *sdk.ResourceUpdatedNotificationRequest) {
			select {
			case v.changed <- struct{}{}:
			default:
			}
		},
	})
	var err error
	v.ClientSession, err = me.Connect(ctx, &sdk.StreamableClientTransport{Endpoint: c.url, HTTPClient: &http.Client{Transport: v.link}, MaxRetries: -1},
		&sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		v.link.cut()
		return nil, err
	}
	return v, nil
}

// leave ends the session and closes all connections.
func (v *visitor) leave() {
	_ = v.Close() // it fails if the connections are cut
	v.link.cut()
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
