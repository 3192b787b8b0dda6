package session

import (
	"context"
	"errors"
	"testing"
)

func TestQuota(t *testing.T) {
	q := NewQuota(Amounts{Calls: 2, Streams: 1}, Amounts{Calls: 3, Streams: 3})
	var releases []func()
	for _, step := range []struct {
		caller       string
		what         Resource
		limitReached string
	}{
		{"a", Calls, ""},
		{"a", Calls, ""},
		{"a", Calls, "the limit is 2 calls per caller"},
		{"a", Streams, ""},
		{"b", Calls, ""},
		{"b", Calls, "the limit of this server is 3 calls in all"},
		{"c", Sessions, "the limit of this server is 0 sessions in all"},
	} {
		release, limitReached := q.Reserve(step.caller, step.what)
		if limitReached != step.limitReached || (release == nil) != (limitReached != "") {
			t.Fatalf("%s of %s: %q, want %q", step.what, step.caller, limitReached, step.limitReached)
		}
		if release != nil {
			releases = append(releases, release)
		}
	}
	for _, release := range releases {
		release()
	}
	if len(q.callers) != 0 || q.InUse() != (Amounts{}) {
		t.Errorf("left: %v of %d callers", q.InUse(), len(q.callers))
	}
}

// TestLimitWatch: a watch counts until it is stopped; one that is refused or
// panics does not count.
func TestLimitWatch(t *testing.T) {
	q := NewQuota(Amounts{Watches: 1}, Amounts{Watches: 1})
	watch := q.LimitWatch("a", func(_ context.Context, uri string, _ func(map[string]any)) (func(), error) {
		switch uri {
		case "gone":
			return nil, errors.New("gone")
		case "panics":
			panic("of a test")
		}
		return nil, nil
	})
	func() {
		defer func() { _ = recover() }()
		_, _ = watch(t.Context(), "panics", nil)
	}()
	if _, err := watch(t.Context(), "gone", nil); err == nil || err.Error() != "gone" {
		t.Fatal(err)
	}
	stop, err := watch(t.Context(), "there", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch(t.Context(), "there", nil); err == nil {
		t.Error("a second watch was accepted")
	}
	stop()
	if _, err := watch(t.Context(), "there", nil); err != nil {
		t.Error(err)
	}
	if q.LimitWatch("a", nil) != nil {
		t.Error("a nil Watch became another")
	}
}
