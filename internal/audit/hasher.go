package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"runs-mcp-server/client"
)

// hasherKeySize is the size of a key in bytes.
const hasherKeySize = 32

// Hasher hashes, under a secret key, what a log may not hold: the API keys of callers,
// and texts. Without the secret nobody can check a guess, even if an API key is easy to
// guess.
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

// Text returns a keyed hash of a text: HMAC-SHA256, in hexadecimal digits.
func (h *Hasher) Text(text string) string {
	mac := hmac.New(sha256.New, h.key[:])
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// KeyFileSuffix is added to the name of the audit log for the name of its key file.
const KeyFileSuffix = ".key"

// openHasher returns a Hasher with the key in a file. If there is none, it makes one:
// hashes then mean the same after a restart and to other processes with that file.
func openHasher(path string) (*Hasher, error) {
	h := NewHasher()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return readHasher(path)
	}
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString(hex.EncodeToString(h.key[:]) + "\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return h, nil
}

// readHasher reads a key file. One that another process is writing right now is read
// again.
func readHasher(path string) (*Hasher, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New(path + " is no regular file")
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		h := new(Hasher)
		key, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err == nil && len(key) == len(h.key) {
			copy(h.key[:], key)
			return h, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.New(path + " holds no key: 64 hexadecimal digits. Restore it, or remove it to have a new one made")
		}
	}
}
