package streamable

import (
	"context"
	"strconv"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport/session"
)

// fill appends messages until one would have to wait, and returns how many the
// stream took.
func fill(s *stream, atMost int) int {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for n := range atMost {
		if s.appendEvent(done, []byte(strconv.Itoa(n))) != nil {
			return n
		}
	}
	return atMost
}

// attachTestResponse attaches a response and returns it with its position.
func attachTestResponse(s *stream, position int) (*attachment, int) {
	r := &attachment{replaced: make(chan struct{}), gone: make(chan struct{}), shortenDeadline: func() {}}
	return r, s.attachResponse(r, position)
}

func TestStreamOfAPost(t *testing.T) {
	s := newStream(1)
	s.resumable = true
	attached, from := attachTestResponse(s, 0)
	if n := fill(s, 1000); n != streamWindow || from != 0 {
		t.Fatalf("with a response that does not write, the stream took %d", n)
	}
	s.markWritten(10)
	if n := fill(s, 1000); n != 10 {
		t.Fatalf("after 10 were written, it took %d more", n)
	}
	s.detachResponse(attached)
	if n := fill(s, 1000); n != 1000 {
		t.Fatalf("without a response it took %d", n)
	}
	found := s.snapshotAfter(0)
	if len(found.events) != maxEvents || found.events[maxEvents-1].number != streamWindow+1010 {
		t.Fatalf("%d are kept, the last is %d", len(found.events), found.events[len(found.events)-1].number)
	}
	if err := s.WriteAnswer(session.Answer{Line: make([]byte, 2*maxEventBytes)}); err != nil {
		t.Fatal(err)
	}
	if found := s.snapshotAfter(0); !found.ended || len(found.events) != 1 {
		t.Fatalf("%d are kept with a long answer", len(found.events))
	}
	if s.WriteAnswer(session.Answer{}) == nil || s.WriteNotification(nil) == nil {
		t.Fatal("it takes more after the answer")
	}
}

func TestStreamOfGET(t *testing.T) {
	s := newHTTPSession("", session.Config{}, func() {}).getStream
	if n := fill(s, 9); n != 0 {
		t.Fatalf("without a response the stream took %d", n)
	}
	attached, from := attachTestResponse(s, asWritten)
	if n := fill(s, 9); n != 1 {
		t.Fatalf("with a response that does not write, it took %d", n)
	}
	s.markWritten(from + 1)
	if n := fill(s, 9); n != 1 {
		t.Fatalf("after one was written, it took %d", n)
	}
	s.detachResponse(attached)
	if attached, from = attachTestResponse(s, asWritten); from != 1 || len(s.snapshotAfter(from).events) != 1 {
		t.Fatalf("the next response begins after %d", from)
	}
	s.detachResponse(attached)
	if _, from = attachTestResponse(s, 0); from != 0 || len(s.snapshotAfter(from).events) != 2 {
		t.Fatalf("a response that has seen nothing begins after %d", from)
	}
}

// TestTakeover: a newer response waits until the older one has written, and goes
// on after that.
func TestTakeover(t *testing.T) {
	s := newHTTPSession("", session.Config{}, func() {}).getStream
	older, from := attachTestResponse(s, asWritten)
	shortened := make(chan struct{})
	older.shortenDeadline = func() { close(shortened) }
	fill(s, 1)
	newerFrom := make(chan int)
	go func() {
		_, from := attachTestResponse(s, asWritten)
		newerFrom <- from
	}()
	fixture.Receive(t, older.replaced)
	fixture.Receive(t, shortened)
	select {
	case from := <-newerFrom:
		t.Fatalf("it begins after %d while the older one writes", from)
	default:
	}
	s.markWritten(from + 1)
	s.detachResponse(older)
	if from := fixture.Receive(t, newerFrom); from != 1 {
		t.Fatalf("it begins after %d", from)
	}
	if n := fill(s, 9); n != 1 {
		t.Fatalf("with the newer one, the stream took %d", n)
	}
}

// TestStatelessStream: it keeps nothing that was written.
func TestStatelessStream(t *testing.T) {
	s := newStream(0)
	attached, _ := attachTestResponse(s, 0)
	fill(s, 5)
	s.markWritten(3)
	if found := s.snapshotAfter(0); len(found.events) != 2 {
		t.Fatalf("%d are kept", len(found.events))
	}
	s.detachResponse(attached)
	if n, kept := fill(s, 1000), len(s.snapshotAfter(0).events); n != 1000 || kept > maxEvents {
		t.Fatalf("without a response it took %d and kept %d", n, kept)
	}
}
