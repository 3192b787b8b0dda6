package client

import (
	"crypto/sha256"
	"sync"

	"runs-mcp-server/internal/bounded"
)

const (
	// maxAccepted is how many accepted keys are remembered, with their health of
	// about 700 bytes each. A key that is forgotten is a stranger until its next
	// request succeeds.
	maxAccepted = 16_384
	// maxStrangers is how many keys are remembered that the API has not accepted. A
	// key that is forgotten starts afresh.
	maxStrangers = 1024
)

// callers holds the health of each API key. Strangers, the keys that the API has not
// accepted, have a map of their own: made-up keys push out no accepted one.
type callers struct {
	mu        sync.Mutex // guards the maps
	accepted  *bounded.Map[keyHash, *callerHealth]
	strangers *bounded.Map[keyHash, *callerHealth]
}

// keyHash is the SHA-256 of an API key. A key itself may have many kilobytes.
type keyHash [sha256.Size]byte

func hashOf(key Key) keyHash { return sha256.Sum256([]byte(key)) }

func newCallers() *callers {
	return &callers{
		accepted:  bounded.New[keyHash, *callerHealth](maxAccepted),
		strangers: bounded.New[keyHash, *callerHealth](maxStrangers),
	}
}

// callerHealth is the retry budget of one API key, and its circuit breakers: one
// against an API that fails, one against a key that the API refuses.
type callerHealth struct {
	budget  retryBudget
	breaker breaker
	key     *keyBreaker
}

// newHealth returns the health of a key that was not seen before.
func (p retryPolicy) newHealth() *callerHealth {
	return &callerHealth{budget: retryBudget{tokens: budgetTokens}, breaker: breaker{jitter: p.jitter}, key: newKeyBreaker()}
}

// Accepted reports whether the API has accepted a key since the start: it answered a
// request with 2xx, or with its own 404 for a run. A key that is revoked later still
// counts as accepted.
func (c *Client) Accepted(key Key) bool {
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	return c.callers.accepted.Has(hashOf(key))
}

// healthOf returns the health of a key. The key becomes the newest of its map.
func (c *Client) healthOf(key Key) *callerHealth {
	hash := hashOf(key)
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	in := c.callers.strangers
	if c.callers.accepted.Has(hash) {
		in = c.callers.accepted
	}
	health, ok := in.Get(hash)
	if !ok {
		health = c.retries.newHealth()
	}
	in.Remove(hash) // and add it again as the newest
	in.Add(hash, health)
	return health
}

// acceptKey remembers that the API has accepted a key.
func (c *Client) acceptKey(key Key, health *callerHealth) {
	hash := hashOf(key)
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	c.callers.strangers.Remove(hash)
	c.callers.accepted.Add(hash, health)
}
