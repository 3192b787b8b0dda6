// Package audit names callers for logs.
package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"runs-mcp-server/client"
)

// hasherKeySize is the size of a key in bytes.
const hasherKeySize = 32

// Hasher hashes, under a secret key, what a log may not hold: the API keys of callers.
// Without the secret nobody can check a guess, even if an API key is easy to guess.
type Hasher struct{ key [hasherKeySize]byte }

// NewHasher returns a Hasher with a random key: its hashes mean something only within
// this process.
func NewHasher() *Hasher {
	h := new(Hasher)
	rand.Read(h.key[:])
	return h
}

// Caller returns 16 hexadecimal digits that stand for an API key.
func (h *Hasher) Caller(key client.Key) string {
	// A hash of secret and message suffices where it is cut: it cannot be extended. It
	// is made for each call, and HMAC would take ten allocations.
	var room [256]byte
	sum := sha256.Sum256(append(append(append(room[:0], h.key[:]...), "caller:"...), key...))
	var digits [16]byte
	hex.Encode(digits[:], sum[:8])
	return string(digits[:])
}
