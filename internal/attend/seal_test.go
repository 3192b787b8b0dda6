package attend

import (
	"encoding/base64"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
)

var (
	alice = client.Caller{Key: "alice-key-alice-key-alice", UserID: "alice"}
	round = RoundState{RunID: "123e4567-e89b-12d3-a456-426614174000", Subject: "an-approval", Digest: "digest", Asked: 2, Reported: 7, TimeLeft: time.Second}
)

// TestSealEveryBit: a sealed state is refused if any bit of it is altered, or if it
// is spelled in another way.
func TestSealEveryBit(t *testing.T) {
	s := newSealer()
	state := s.Seal(alice, "approve", round)
	for i := range len(state) {
		for bit := range 8 {
			altered := []byte(state)
			altered[i] ^= 1 << bit
			if _, err := s.Open(alice, "approve", string(altered)); !errors.Is(err, ErrNotSealed) {
				t.Fatalf("bit %d of byte %d altered: %v", bit, i, err)
			}
		}
		if _, err := s.Open(alice, "approve", state[:i]); !errors.Is(err, ErrNotSealed) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		if _, err := s.Open(alice, "approve", state[:i]+"\n"+state[i:]); !errors.Is(err, ErrNotSealed) {
			t.Fatalf("a line break at %d: %v", i, err)
		}
	}
	data, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if _, err := s.Open(alice, "approve", base64.RawURLEncoding.EncodeToString(data)); !errors.Is(err, ErrNotSealed) {
				t.Fatalf("bit %d of sealed byte %d altered: %v", bit, i, err)
			}
			data[i] ^= 1 << bit
		}
	}
	for _, other := range []string{base64.URLEncoding.EncodeToString(data), base64.StdEncoding.EncodeToString(data), state + state, state + "A"} {
		if other == state { // nothing in it that the alphabets differ in
			continue
		}
		if _, err := s.Open(alice, "approve", other); !errors.Is(err, ErrNotSealed) {
			t.Errorf("%q: %v", other, err)
		}
	}
	if got, err := s.Open(alice, "approve", state); err != nil || got != round {
		t.Errorf("the sealed round itself: %+v, %v", got, err)
	}
}

// TestSealIsBound: a sealed state is bound to the caller and the tool, and can be
// redeemed once.
func TestSealIsBound(t *testing.T) {
	s, replica := newSealer(), newSealer()
	state := s.Seal(alice, "approve", round)
	for name, open := range map[string]func() (RoundState, error){
		"another key": func() (RoundState, error) {
			return s.Open(client.Caller{Key: "bob-key", UserID: "alice"}, "approve", state)
		},
		"another user": func() (RoundState, error) {
			return s.Open(client.Caller{Key: alice.Key, UserID: "bob"}, "approve", state)
		},
		"another tool": func() (RoundState, error) { return s.Open(alice, "create_run", state) },
		"nothing":      func() (RoundState, error) { return s.Open(alice, "approve", "") },
	} {
		if _, err := open(); !errors.Is(err, ErrNotSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := replica.Open(alice, "approve", state); err != nil || got != round {
		t.Errorf("a replica: %+v, %v", got, err)
	}
	var wg sync.WaitGroup
	var opened atomic.Int32
	for range 50 {
		wg.Go(func() {
			if err := s.redeem(state); err == nil {
				opened.Add(1)
			} else if !errors.Is(err, ErrUsed) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("opened %d times", opened.Load())
	}
}

// TestSealExpires: a sealed state is valid for ten minutes.
func TestSealExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSealer()
		early, late := s.Seal(alice, "approve", round), s.Seal(alice, "approve", round)
		if early == late {
			t.Error("two sealings are alike")
		}
		time.Sleep(10*time.Minute - 2*time.Second)
		if _, err := s.Open(alice, "approve", early); err != nil {
			t.Errorf("in time: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := s.Open(alice, "approve", late); !errors.Is(err, ErrExpired) {
			t.Errorf("too late: %v", err)
		}
	})
}
