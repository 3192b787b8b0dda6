package session

import (
	"context"
	"errors"
	"testing"
)

// TestQuota: callers, all together, and strangers have limits of their own.
func TestQuota(t *testing.T) {
	q := NewQuota(Limits{
		PerCaller: Amounts{Calls: 2, Streams: 1, Bytes: 10},
		InAll:     Amounts{Calls: 3, Streams: 3, Bytes: 15},
		Strangers: Amounts{Calls: 1, Bytes: 4},
	})
	a, b := Account{Caller: "a"}, Account{Caller: "b"}
	var holds []*Hold
	for _, step := range []struct {
		account Account
		what    Resource
		amount  int
		short   string
		inAll   bool
	}{
		{a, Calls, 1, "", false},
		{a, Calls, 1, "", false},
		{a, Calls, 1, "the limit is 2 calls per caller", false},
		{a, Streams, 1, "", false},
		{b, Calls, 1, "", false},
		{b, Calls, 1, "the limit of this server is 3 calls in all", true},
		{b, Sessions, 1, "the limit is 0 sessions per caller", false},
		{a, Bytes, 11, "the limit is 10 bytes per caller", false},
		{a, Bytes, 10, "", false},
		{b, Bytes, 6, "the limit of this server is 15 bytes in all", true},
		{Strangers, Calls, 1, "", false},
		{Strangers, Bytes, 5, "callers whose key the API has not accepted yet share 4 bytes", false},
		{Strangers, Bytes, 4, "", false},
	} {
		h := q.NewHold(step.account, step.what)
		switch short := h.Grow(step.amount); {
		case short == nil && step.short != "", short != nil && (short.String() != step.short || short.InAll != step.inAll):
			t.Fatalf("%d %s of %+v: %v, want %q", step.amount, step.what, step.account, short, step.short)
		case short == nil:
			holds = append(holds, h)
		}
	}
	if got, want := q.InUse(), (Amounts{Calls: 4, Streams: 1, Bytes: 14}); got != want {
		t.Errorf("in use are %v, want %v", got, want)
	}
	for _, h := range holds {
		h.Release()
		h.Release() // again does nothing
	}
	if len(q.accounts) != 0 || q.InUse() != (Amounts{}) {
		t.Errorf("left: %v of %d accounts", q.InUse(), len(q.accounts))
	}
}

// TestMoveTo: what a stranger holds counts on its own account once it is known.
func TestMoveTo(t *testing.T) {
	q := NewQuota(Limits{PerCaller: Amounts{Bytes: 10}, InAll: Amounts{Bytes: 10}, Strangers: Amounts{Bytes: 10}})
	h := q.NewHold(Strangers, Bytes)
	if short := h.Grow(10); short != nil {
		t.Fatal(short)
	}
	h.MoveTo(Account{Caller: "a"})
	if short := q.NewHold(Strangers, Bytes).Grow(10); short != nil {
		t.Errorf("strangers still hold it: %s", short)
	}
	if short := q.NewHold(Account{Caller: "a"}, Bytes).Grow(1); short == nil {
		t.Error("the caller does not hold it")
	}
	h.Release()
	if short := q.NewHold(Account{Caller: "a"}, Bytes).Grow(10); short != nil {
		t.Errorf("it was released: %s", short)
	}
}

// TestIsCrowded: beyond half of an account's limit, or of all callers', an account
// is crowded; strangers do not crowd callers.
func TestIsCrowded(t *testing.T) {
	q := NewQuota(Limits{PerCaller: Amounts{Bytes: 10}, InAll: Amounts{Bytes: 16}, Strangers: Amounts{Bytes: 100}})
	a, b, c := q.NewHold(Account{Caller: "a"}, Bytes), q.NewHold(Account{Caller: "b"}, Bytes), q.NewHold(Account{Caller: "c"}, Bytes)
	q.NewHold(Strangers, Bytes).Set(100)
	wants := func(h *Hold, want bool) {
		t.Helper()
		if h.IsCrowded() != want {
			t.Errorf("crowded: %t", !want)
		}
	}
	a.Set(5)
	wants(a, false)
	a.Set(6)
	wants(a, true)
	wants(b, false)
	b.Set(3)
	wants(c, true) // nine of all sixteen are in use
	var none *Hold
	none.Set(3)
	none.MoveTo(Strangers)
	wants(none, false)
}

// TestLimitWatch: a watch counts until it is stopped; one that is refused or
// panics does not count.
func TestLimitWatch(t *testing.T) {
	q := NewQuota(Limits{PerCaller: Amounts{Watches: 1}, InAll: Amounts{Watches: 1}})
	account := func() Account { return Account{Caller: "a"} }
	watch := q.LimitWatch(account, func(_ context.Context, uri string, _ func(map[string]any)) (func(), error) {
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
	if q.LimitWatch(account, nil) != nil {
		t.Error("a nil Watch became another")
	}
}

// TestWelcomedByWatching: a stranger whose first request is to watch counts on its
// own account from then on.
func TestWelcomedByWatching(t *testing.T) {
	q := NewQuota(Limits{PerCaller: Amounts{Watches: 1}, InAll: Amounts{Watches: 1}, Strangers: Amounts{Watches: 1}})
	account := Strangers
	watch := q.LimitWatch(func() Account { return account }, func(context.Context, string, func(map[string]any)) (func(), error) {
		account = Account{Caller: "a"} // the API has accepted the key
		return nil, nil
	})
	if _, err := watch(t.Context(), "there", nil); err != nil {
		t.Fatal(err)
	}
	if _, short := q.Reserve(Strangers, Watches); short != nil {
		t.Errorf("it counts on strangers: %s", short)
	}
	if _, short := q.Reserve(account, Watches); short == nil {
		t.Error("it does not count on the caller")
	}
}
