package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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

// attack is the main function of the process of the hostile callers of one round. Its
// argument is the server's URL. It attacks until a line comes in, answers with a line
// when only the half-open connections are left, and closes those when the input ends.
func attack(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New(attackRole + " needs a URL")
	}
	passing, err := hostile.NewCaller(args[0])
	if err != nil {
		return err
	}
	halfOpen, err := hostile.NewCaller(args[0])
	if err != nil {
		return err
	}
	defer halfOpen.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	gone := startAttacks(ctx, passing, halfOpen)
	commands := bufio.NewScanner(in)
	if commands.Scan() {
		stop()
		<-gone
		passing.Close()
		fmt.Fprintln(out, "gone")
	}
	for commands.Scan() { // until the input ends
	}
	return nil
}

// startAttacks attacks until ctx is done. The channel is closed when all attacks have
// ended. What is left open then is left by halfOpen.
func startAttacks(ctx context.Context, passing, halfOpen *hostile.Caller) (gone <-chan struct{}) {
	var all sync.WaitGroup
	repeat := func(caller *hostile.Caller, r repeated) {
		for pause(ctx, time.Second/time.Duration(r.perSecond)) {
			all.Go(func() { r.attack(caller, ctx, r.key()) })
		}
	}
	passingAttacks, halfOpenAttacks := badDay()
	for _, r := range passingAttacks {
		all.Go(func() { repeat(passing, r) })
	}
	for _, r := range halfOpenAttacks {
		all.Go(func() { repeat(halfOpen, r) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.Wait()
	}()
	return ended
}

// attackers is that process, seen from the process that measures.
type attackers struct{ child }

// startAttackers starts this program again, in the role of the hostile callers.
func startAttackers(url string) (*attackers, error) {
	c, err := startPoliteChild(attackRole, url)
	return &attackers{c}, err
}

// stop ends the attacks. The half-open connections are left open.
func (a *attackers) stop() error {
	_, err := a.sendCommand("stop")
	return err
}

// close closes them, and ends the process.
func (a *attackers) close() error {
	a.input.Close()
	return a.cmd.Wait()
}
