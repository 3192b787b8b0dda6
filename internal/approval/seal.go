package approval

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
)

// roundLife is how long a person's answer may take to come back.
const roundLife = 10 * time.Minute

// Errors of a round that cannot be opened.
var (
	ErrNotSealed = errors.New("the request state is missing, altered, or another caller's or call's")
	ErrExpired   = errors.New("the request state has expired")
	ErrUsed      = errors.New("the request state was used before")
)

// Round is what travels with a question to the client and back, in the
// protocol whose server keeps nothing between the two: the client repeats its
// call, and the round says where the call stood.
type Round struct {
	RunID         string        `json:"runId"`
	Subject       string        `json:"subject"`                 // what the person was asked about: an approval's id, or an authorisation
	AnswerName    string        `json:"answerName"`              // under which their answer comes
	Digest        string        `json:"digest"`                  // of what the person decides on, see [Request.Digest]
	Questions     int           `json:"questions"`               // that the call has put, this one included
	Changes       int           `json:"changes,omitempty"`       // of what the person was asked about, while they were
	Notifications int           `json:"notifications,omitempty"` // of progress so far
	Told          int64         `json:"told,omitempty"`          // cursor of the newest event that the call has told of
	SentTo        int64         `json:"sentTo,omitempty"`        // cursor of the authorisation to whose link the person was sent
	TimeLeft      time.Duration `json:"timeLeft,omitempty"`      // of the call's wait
	Unkept        bool          `json:"unkept,omitempty"`        // nobody watches the run when the call is over
}

// sealed is a round as it is encrypted.
type sealed struct {
	Round
	Expires int64 `json:"expires"` // Unix seconds
}

// Sealer seals rounds, and redeems each at most once in the life of the process.
// The key is derived from the caller's API key, so that every replica opens
// what another sealed, and none of another caller. It is safe for concurrent use.
type Sealer struct {
	mu   sync.Mutex // guards used
	used memory[string, bool]
}

// Seal returns a round as an opaque text that only the same caller's next
// call of the same tool opens, once and within ten minutes.
func (s *Sealer) Seal(caller client.Caller, tool string, r Round) string {
	text, err := json.Marshal(sealed{r, time.Now().Add(roundLife).Unix()})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return base64.RawURLEncoding.EncodeToString(aead(caller).Seal(nil, nil, text, boundTo(caller, tool)))
}

// Open opens what Seal made. Its errors are [ErrNotSealed] and [ErrExpired].
func (s *Sealer) Open(caller client.Caller, tool, state string) (Round, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(state)
	// The decoder passes over line breaks: one text must have one spelling.
	if err != nil || base64.RawURLEncoding.EncodeToString(data) != state {
		return Round{}, ErrNotSealed
	}
	text, err := aead(caller).Open(nil, nil, data, boundTo(caller, tool))
	if err != nil {
		return Round{}, ErrNotSealed
	}
	var opened sealed
	if err := json.Unmarshal(text, &opened); err != nil {
		return Round{}, ErrNotSealed
	}
	if time.Now().Unix() >= opened.Expires {
		return Round{}, ErrExpired
	}
	return opened.Round, nil
}

// Redeem uses up what was opened: [ErrUsed] where it was before.
func (s *Sealer) Redeem(state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used.of[state] {
		return ErrUsed
	}
	s.used.add(state, true)
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
