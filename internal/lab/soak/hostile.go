package main

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"runs-mcp-server/internal/lab/hostile"
)

// repeated is an attack, how often it is made, and with what key.
type repeated struct {
	attack    hostile.Attack
	perSecond int
	key       func() string
}

// The keys of hostile callers. The API accepts hostileKey alone.
const (
	hostileKey = "key-of-a-hostile-caller-that-the-api-knows"
	refusedKey = "key-of-a-hostile-caller-that-the-api-refuses"
)

func madeUpKey() string   { return "stranger-" + uuid.NewString() }
func knownKey() string    { return hostileKey }
func refusedOnly() string { return refusedKey }

// badDay returns what hostile callers do in the soak: a bad day of an operator, not a
// benchmark. What halfOpen attacks leave open, the server must close itself.
func badDay() (passing, halfOpen []repeated) {
	passing = []repeated{
		// Strangers, each with a key of its own.
		{(*hostile.Caller).LeaveSession, 10, madeUpKey},
		{(*hostile.Caller).SendArray, 2, madeUpKey},
		{(*hostile.Caller).LeaveArrayUnread, 2, madeUpKey},
		{(*hostile.Caller).SendLargeInitialize, 2, madeUpKey},
		{(*hostile.Caller).SendManyValues, 2, madeUpKey},
		{(*hostile.Caller).CallWithLargeArgument, 2, madeUpKey},
		{(*hostile.Caller).CallWithManyValues, 2, madeUpKey},
		{(*hostile.Caller).CallWithLargeID, 2, madeUpKey},
		{(*hostile.Caller).CallWithLargeToken, 2, madeUpKey},
		{(*hostile.Caller).LeaveStreamUnread, 5, madeUpKey},
		{(*hostile.Caller).SendBadRequest, 5, madeUpKey},
		// A key that the API has refused.
		{(*hostile.Caller).ListenToMany, 1, refusedOnly},
		{(*hostile.Caller).SubscribeToMany, 1, refusedOnly},
		// A caller whom the API knows.
		{(*hostile.Caller).LeaveSession, 5, knownKey},
		{(*hostile.Caller).CallWithLargeID, 1, knownKey},
		{(*hostile.Caller).CallWithLargeToken, 1, knownKey},
		{(*hostile.Caller).LeaveArrayUnread, 1, knownKey},
		{(*hostile.Caller).LeaveCallUnread, 1, knownKey},
		{(*hostile.Caller).LeaveUpdatesUnread, 1, knownKey},
		{(*hostile.Caller).HangUpSubscribed, 1, knownKey},
	}
	halfOpen = []repeated{
		{(*hostile.Caller).LeaveBodyOpen, 2, madeUpKey},
		{(*hostile.Caller).LeaveBodyOpen, 1, knownKey},
		{(*hostile.Caller).LeaveHeaderOpen, 5, madeUpKey},
		{(*hostile.Caller).LeaveConnectionSilent, 20, madeUpKey},
	}
	return passing, halfOpen
}

// attackers are the hostile callers of one phase.
type attackers struct{ passing, halfOpen *hostile.Caller }

func newAttackers(url string) (*attackers, error) {
	passing, err := hostile.NewCaller(url)
	if err != nil {
		return nil, err
	}
	halfOpen, err := hostile.NewCaller(url)
	return &attackers{passing, halfOpen}, err
}

// start attacks until ctx is done. The channel is closed when only the half-open
// connections are left.
func (a *attackers) start(ctx context.Context) (gone <-chan struct{}) {
	var all sync.WaitGroup
	repeat := func(caller *hostile.Caller, r repeated) {
		for pause(ctx, time.Second/time.Duration(r.perSecond)) {
			all.Go(func() { r.attack(caller, ctx, r.key()) })
		}
	}
	passing, halfOpen := badDay()
	for _, r := range passing {
		all.Go(func() { repeat(a.passing, r) })
	}
	for _, r := range halfOpen {
		all.Go(func() { repeat(a.halfOpen, r) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.Wait()
		a.passing.Close()
	}()
	return ended
}

// close closes the half-open connections.
func (a *attackers) close() { a.halfOpen.Close() }
