package attend

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bounded"
)

// roundLife is how long a person's answer may take to come back.
const roundLife = 10 * time.Minute

// Errors of a position that cannot be opened.
var (
	ErrNotSealed = errors.New("the request state is missing, altered, or another caller's or call's")
	ErrExpired   = errors.New("the request state has expired")
	ErrUsed      = errors.New("the request state was used before")
)

// sealed is a position as it is encrypted.
type sealed struct {
	Position
	Expires int64 `json:"expires"` // Unix seconds
}

// Sealer seals the positions of input rounds, and redeems each at most once in the
// life of the process.
// The key is derived from the caller's API key, so that every replica opens
// what another sealed, and none of another caller. It is safe for concurrent use.
type Sealer struct {
	mu   sync.Mutex // guards used
	used *bounded.Map[string, bool]
}

// maxUsed bounds the rounds that are remembered as used.
const maxUsed = 10_000

// NewSealer returns a Sealer that has redeemed nothing.
func NewSealer() *Sealer { return &Sealer{used: bounded.New[string, bool](maxUsed)} }

// Seal returns a position as an opaque text that only the same caller's next
// call of the same tool opens, once and within ten minutes.
func (s *Sealer) Seal(caller client.Caller, tool string, at Position) string {
	text, err := json.Marshal(sealed{at, time.Now().Add(roundLife).Unix()})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return base64.RawURLEncoding.EncodeToString(aead(caller).Seal(nil, nil, text, boundTo(caller, tool)))
}

// Open opens what Seal made. Its errors are [ErrNotSealed] and [ErrExpired].
func (s *Sealer) Open(caller client.Caller, tool, state string) (Position, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(state)
	// The decoder passes over line breaks: one text must have one spelling.
	if err != nil || base64.RawURLEncoding.EncodeToString(data) != state {
		return Position{}, ErrNotSealed
	}
	text, err := aead(caller).Open(nil, nil, data, boundTo(caller, tool))
	if err != nil {
		return Position{}, ErrNotSealed
	}
	var opened sealed
	if err := json.Unmarshal(text, &opened); err != nil {
		return Position{}, ErrNotSealed
	}
	if time.Now().Unix() >= opened.Expires {
		return Position{}, ErrExpired
	}
	return opened.Position, nil
}

// Redeem uses up what was opened: [ErrUsed] where it was before.
func (s *Sealer) Redeem(state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used.Has(state) {
		return ErrUsed
	}
	s.used.Add(state, true)
	return nil
}

// aead returns the cipher of one caller. It draws a nonce for each sealing.
func aead(caller client.Caller) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(caller.Key), nil, "runs-mcp-server request state", 32)
	if err != nil {
		panic(err) // the length is below HKDF's limit
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length is AES-256's
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size
	}
	return gcm
}

// boundTo is what a sealed text is good for, beside the key.
func boundTo(caller client.Caller, tool string) []byte {
	return []byte(tool + "\x00" + caller.UserID)
}
