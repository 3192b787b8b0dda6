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

// stateLifetime is how long a sealed state is valid: a person's answer must come back
// in that time.
const stateLifetime = 10 * time.Minute

// Errors of a sealed state that cannot be used.
var (
	ErrNotSealed = errors.New("the request state is missing, altered, or another caller's or call's")
	ErrExpired   = errors.New("the request state has expired")
	ErrUsed      = errors.New("the request state was used before")
)

// sealedState is what is encrypted.
type sealedState struct {
	RoundState
	Expires int64 `json:"expires"` // Unix seconds
}

// Sealer encrypts the states of input rounds, and redeems each at most once in the
// life of the process. The key is derived from the caller's API key: every replica
// opens what another one sealed, and no caller opens another's. It is safe for
// concurrent use.
type Sealer struct {
	mu   sync.Mutex // guards used
	used *bounded.Map[stateHash, bool]
}

// stateHash is the SHA-256 of a sealed state: the state itself has 600 bytes and more.
type stateHash [sha256.Size]byte

const (
	// maxUsed bounds the states that are remembered as used.
	maxUsed = 10_000
	// maxUsedBytes is what they take: the number bounds them.
	maxUsedBytes = maxUsed * bounded.EntryBytes
)

// newSealer returns a Sealer that has redeemed nothing.
func newSealer() *Sealer {
	return &Sealer{used: bounded.New[stateHash, bool](bounded.Limits{Entries: maxUsed, Bytes: maxUsedBytes})}
}

// Seal returns a state as an opaque text. Only a call of the same tool by the same
// caller can open it, within ten minutes.
func (s *Sealer) Seal(caller client.Caller, tool string, state RoundState) string {
	text, err := json.Marshal(sealedState{state, time.Now().Add(stateLifetime).Unix()})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return base64.RawURLEncoding.EncodeToString(cipherOf(caller).Seal(nil, nil, text, boundTo(caller, tool)))
}

// Open opens what Seal made. Its errors are [ErrNotSealed] and [ErrExpired].
func (s *Sealer) Open(caller client.Caller, tool, state string) (RoundState, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(state)
	// A text must have one spelling, and the decoder ignores line breaks.
	if err != nil || base64.RawURLEncoding.EncodeToString(data) != state {
		return RoundState{}, ErrNotSealed
	}
	text, err := cipherOf(caller).Open(nil, nil, data, boundTo(caller, tool))
	if err != nil {
		return RoundState{}, ErrNotSealed
	}
	var opened sealedState
	if err := json.Unmarshal(text, &opened); err != nil {
		return RoundState{}, ErrNotSealed
	}
	if time.Now().Unix() >= opened.Expires {
		return RoundState{}, ErrExpired
	}
	return opened.RoundState, nil
}

// redeem uses a sealed state up. It returns [ErrUsed] if it was used before.
func (s *Sealer) redeem(state string) error {
	hash := stateHash(sha256.Sum256([]byte(state)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used.Has(hash) {
		return ErrUsed
	}
	s.used.Add(hash, true, bounded.EntryBytes)
	return nil
}

// cipherOf returns the cipher of one caller: AES-256-GCM with a random nonce in each
// text.
func cipherOf(caller client.Caller) cipher.AEAD {
	block, err := aes.NewCipher(keyFor(caller, "request state"))
	if err != nil {
		panic(err) // the length is AES-256's
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size
	}
	return gcm
}

// keyFor returns a secret key of a caller for one purpose. It is the same on every
// replica.
func keyFor(caller client.Caller, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(caller.Key), nil, "runs-mcp-server "+purpose, 32)
	if err != nil {
		panic(err) // the length is below HKDF's limit
	}
	return key
}

// boundTo returns what a sealed text is bound to beside the key: the tool and the user.
func boundTo(caller client.Caller, tool string) []byte {
	return []byte(tool + "\x00" + caller.UserID)
}
