//go:build diagnostic

package diagnostic

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// stateKey authenticates the requestState of a tool.
type stateKey []byte

func newStateKey() stateKey { return stateKey(rand.Text()) }

// seal returns the state of a round: its number and an HMAC.
func (k stateKey) seal(round int) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(strconv.Itoa(round)))
	return strconv.Itoa(round) + "." + hex.EncodeToString(mac.Sum(nil))
}

// open returns the round of a state that seal returned.
func (k stateKey) open(state string) (int, error) {
	number, _, _ := strings.Cut(state, ".")
	round, err := strconv.Atoi(number)
	if err != nil || !hmac.Equal([]byte(state), []byte(k.seal(round))) {
		return 0, errors.New("requestState was not made by this server: start the call again without it")
	}
	return round, nil
}
