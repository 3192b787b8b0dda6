package transport

import (
	"context"
	"strconv"
	"testing"
)

// puts adds messages until one would have to wait, and returns how many it
// took.
func puts(s *stream, atMost int) int {
	given, cancel := context.WithCancel(context.Background())
	cancel()
	for n := range atMost {
		if s.put(given, []byte(strconv.Itoa(n))) != nil {
			return n
		}
	}
	return atMost
}

func TestStreamOfAPost(t *testing.T) {
	s := newStream(1)
	s.resumable = true
	me, have := s.attach(0, nil)
	if n := puts(s, 1000); n != streamWindow || have != 0 {
		t.Fatalf("a reader that does not read got %d", n)
	}
	s.wrote(10)
	if n := puts(s, 1000); n != 10 {
		t.Fatalf("a reader that read 10 got %d more", n)
	}
	s.detach(me)
	if n := puts(s, 1000); n != 1000 {
		t.Fatalf("without a reader the call waits after %d", n)
	}
	g := s.after(0)
	if len(g.events) != maxEvents || g.events[maxEvents-1].number != streamWindow+1010 {
		t.Fatalf("%d are kept, the last is %d", len(g.events), g.events[len(g.events)-1].number)
	}
	if err := s.answer(answer{line: make([]byte, 2*maxEventBytes)}); err != nil {
		t.Fatal(err)
	}
	if g := s.after(0); !g.ended || len(g.events) != 1 {
		t.Fatalf("%d are kept with a long answer", len(g.events))
	}
	if s.answer(answer{}) == nil || s.send(nil) == nil {
		t.Fatal("more after the answer")
	}
}

func TestStreamOfGET(t *testing.T) {
	s := newSession("", Options{}, func() {}).get
	if n := puts(s, 9); n != 0 {
		t.Fatalf("nobody got %d", n)
	}
	me, have := s.attach(anew, nil)
	if n := puts(s, 9); n != 1 {
		t.Fatalf("a reader that does not read got %d", n)
	}
	s.wrote(have + 1)
	if n := puts(s, 9); n != 1 {
		t.Fatalf("a reader that has read got %d", n)
	}
	s.detach(me)
	if me, have = s.attach(anew, nil); have != 1 || len(s.after(have).events) != 1 {
		t.Fatalf("the next reader begins after %d", have)
	}
	s.detach(me)
	if _, have = s.attach(0, nil); have != 0 || len(s.after(have).events) != 2 {
		t.Fatalf("one that has seen nothing begins after %d", have)
	}
}

// TestTakeover: a newer reader waits for what the older is writing, and goes on
// after that.
func TestTakeover(t *testing.T) {
	s := newSession("", Options{}, func() {}).get
	hurried := false
	older, have := s.attach(anew, func() { hurried = true })
	puts(s, 1)
	begins := make(chan int)
	go func() {
		_, have := s.attach(anew, nil)
		begins <- have
	}()
	receive(t, older.taken)
	select {
	case have := <-begins:
		t.Fatalf("it begins after %d while the older writes", have)
	default:
	}
	s.wrote(have + 1)
	s.detach(older)
	if have := receive(t, begins); have != 1 || !hurried {
		t.Fatalf("it begins after %d, hurried %t", have, hurried)
	}
	if n := puts(s, 9); n != 1 {
		t.Fatalf("the newer gets %d", n)
	}
}

// TestStreamOfTheNewEra keeps nothing that was written.
func TestStreamOfTheNewEra(t *testing.T) {
	s := newStream(0)
	me, _ := s.attach(0, nil)
	puts(s, 5)
	s.wrote(3)
	if g := s.after(0); len(g.events) != 2 {
		t.Fatalf("%d kept", len(g.events))
	}
	s.detach(me)
	if n := puts(s, 1000); n != 1000 || len(s.after(0).events) > maxEvents {
		t.Fatalf("%d taken, %d kept", n, len(s.after(0).events))
	}
}
