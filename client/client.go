// Package client calls the toolregistry.ai Run API: its six operations, two
// documented neighbours, and the event stream of a run. It knows nothing of MCP.
//
// Every request goes through [Client.send], which sets the key, the deadline and
// the limits, and turns every failure into an [Error] whose text is safe to show.
package client

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"

	"runs-mcp-server/internal/bounded"
	"runs-mcp-server/internal/loopback"
)

// DefaultURL is the API's published address.
const DefaultURL = "https://api.toolregistry.ai"

// Options are the settings of a [Client].
type Options struct {
	URL       string // the API's base address; https, or http on loopback
	UserAgent string
	// Transport replaces the network, for tests. A connection that it does not
	// report to [net/http/httptrace] counts as never sent.
	Transport http.RoundTripper
}

// Client calls the Run API. It is safe for concurrent use.
type Client struct {
	base      *url.URL
	userAgent string
	calls     *http.Client
	once      *http.Client // for requests that must arrive at most once, see [newTransport]
	retries   retryPolicy
	served    atomic.Bool // the API itself has answered, be it with an error

	mu     sync.Mutex // guards health
	health *bounded.Map[Key, *callerHealth]
}

// New returns a Client, or an error that says what is wrong with the address.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	calls, once := o.Transport, o.Transport
	if o.Transport == nil {
		calls, once = newTransport(false), newTransport(true)
	}
	return &Client{
		base: base, userAgent: o.UserAgent, calls: newHTTPClient(calls), once: newHTTPClient(once),
		retries: standardPolicy(), health: bounded.New[Key, *callerHealth](maxCallers),
	}, nil
}

// parseBase checks the API's address.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("the API address is not a URL like " + DefaultURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the API address must not hold a user, a query or a fragment")
	case u.Port() != "" && !validPort(u.Port()):
		return nil, errors.New("the API address has a port that is none")
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return u, nil
	default:
		return nil, errors.New("the API address must be https (http is for loopback only), or the key would travel in the clear")
	}
}

// validPort reports whether a port is a number from 1 to 65535.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Close closes idle connections. Requests over once leave none.
func (c *Client) Close() { c.calls.CloseIdleConnections() }

// maxCallers is how many callers' health is remembered. A caller that is forgotten
// starts afresh.
const maxCallers = 1024

// healthOf returns the health of a caller. It forgets the caller that was not seen
// for the longest time.
func (c *Client) healthOf(key Key) *callerHealth {
	c.mu.Lock()
	defer c.mu.Unlock()
	health, ok := c.health.Get(key)
	if !ok {
		health = c.retries.newHealth()
	}
	c.health.Remove(key) // and add it again as the newest
	c.health.Add(key, health)
	return health
}
