package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answer is a step of a published vector: what the API answers, and what is
// left of the budget after it. delay, in seconds, is the pause before the next
// request; 0 ends the call.
type answer struct{ status, tokens, delay int }

// TestVectors holds the policy to the eight test cases of the AWS SDKs'
// standard mode (Retry Behavior 2.0), as published in aws/aws-sdk-java-v2,
// core/retries/src/test/java/software/amazon/awssdk/retries/internal/StandardRetryStrategyTest.java,
// method retriesV20Tests, at commit 27f83ed0cd00ac8cddad187ff51f10da3c315568.
// The random factor is 1 in them, and the base 1 s.
func TestVectors(t *testing.T) {
	tests := []struct {
		name                 string
		tries, tokens, limit int
		answers              []answer
	}{
		{"Retry eventually succeeds.", 3, 500, 20, []answer{{500, 495, 1}, {500, 490, 2}, {200, 495, 0}}},
		{"Fail due to max attempts reached.", 3, 500, 20, []answer{{502, 495, 1}, {502, 490, 2}, {502, 490, 0}}},
		{"Retry Quota reached after a single retry.", 3, 5, 20, []answer{{500, 0, 1}, {502, 0, 0}}},
		{"No retries at all if retry quota is 0.", 3, 0, 20, []answer{{500, 0, 0}}},
		{"Verifying exponential backoff timing.", 5, 500, 20, []answer{{500, 495, 1}, {500, 490, 2}, {500, 485, 4}, {500, 480, 8}, {500, 480, 0}}},
		{"Verify max backoff time.", 5, 500, 3, []answer{{500, 495, 1}, {500, 490, 2}, {500, 485, 3}, {500, 480, 3}, {500, 480, 0}}},
		{"Retry Stops After Retry Quota Exhaustion", 5, 10, 20, []answer{{500, 5, 1}, {502, 0, 2}, {503, 0, 0}}},
		{"Retry quota Recovery After Successful Responses", 5, 15, 20, []answer{{500, 10, 1}, {502, 5, 2}, {200, 10, 0}, {500, 5, 1}, {200, 10, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := retryPolicy{tries: tt.tries, base: time.Second, limit: time.Duration(tt.limit) * time.Second, jitter: most}
				health := p.newHealth()
				health.budget.tokens = tt.tokens
				if got := replay(t, p, health, tt.answers); fmt.Sprint(got) != fmt.Sprint(tt.answers) {
					t.Errorf("got  %v\nwant %v (status, tokens, delay)", got, tt.answers)
				}
			})
		})
	}
}

// most is a jitter that is always the most it may be.
func most(limit time.Duration) time.Duration { return limit }

// replay makes as many calls as the answers take, and returns what happened
// in the answers' form.
func replay(t *testing.T, p retryPolicy, health *callerHealth, answers []answer) (got []answer) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for len(got) < len(answers) {
		var at time.Time // of the call's last try
		err := p.run(ctx, health, request{op: "get_run"}, func() *Error {
			if last := len(got) - 1; !at.IsZero() {
				got[last].tokens, got[last].delay = health.budget.tokens, int(time.Since(at)/time.Second)
			}
			at = time.Now()
			if len(got) == len(answers) {
				t.Fatalf("a request too many, after %v", got)
			}
			status := answers[len(got)].status
			got = append(got, answer{status: status})
			return failureOf(status)
		})
		last := &got[len(got)-1]
		last.tokens = health.budget.tokens
		if failed := last.status != 200; failed != (err != nil) {
			t.Errorf("%d ended in %v", last.status, err)
		}
	}
	return got
}

func failureOf(status int) *Error {
	if status == 200 {
		return nil
	}
	return statusError(request{op: "get_run"}, status, "", 0)
}

// TestOutageCostsATenth: 1,000 calls in a row that all fail are 1,100 requests
// by the budget alone, with no breaker to keep any back; 1,000 at once, which
// no breaker can keep back, are no more.
func TestOutageCostsATenth(t *testing.T) {
	const calls = 1000
	synctest.Test(t, func(t *testing.T) {
		p := standardPolicy()
		health, requests := p.newHealth(), 0
		for range calls {
			health.breaker = breaker{jitter: most}
			p.run(t.Context(), health, request{}, func() *Error {
				requests++
				return failureOf(503)
			})
		}
		if requests != 1100 {
			t.Errorf("one after the other: %d requests", requests)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := standardPolicy()
		health, requests := p.newHealth(), atomic.Int64{}
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() {
				p.run(t.Context(), health, request{}, func() *Error {
					requests.Add(1)
					time.Sleep(time.Second)
					return failureOf(503)
				})
			})
		}
		if wg.Wait(); requests.Load() < calls || requests.Load() > 1100 {
			t.Errorf("at once: %d requests", requests.Load())
		}
	})
}

// TestTimeoutsCostMore: a retry after a timeout costs more than another, as in the
// standard mode.
func TestTimeoutsCostMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := standardPolicy()
		health := p.newHealth()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p.run(ctx, health, request{}, func() *Error { return sendError(ctx, request{}, true, context.DeadlineExceeded) })
		if got, want := health.budget.tokens, budgetTokens-2*timeoutCost; got != want {
			t.Errorf("%d tokens are left, want %d", got, want)
		}
		for range 2 * timeoutCost {
			p.run(ctx, health, request{}, func() *Error { return nil })
		}
		p.run(ctx, health, request{}, func() *Error { return nil })
		if health.budget.tokens != budgetTokens {
			t.Errorf("%d tokens after successes, want %d", health.budget.tokens, budgetTokens)
		}
	})
}

// TestRetryable says after which failures each kind of request may be sent again.
func TestRetryable(t *testing.T) {
	ctx := t.Context()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	reset := fmt.Errorf("connection reset")
	tests := []struct {
		name string
		fail func(request) *Error
		may  string // of safe, idempotent, not idempotent, one-time
	}{
		{"no connection", func(r request) *Error { return sendError(ctx, r, false, reset) }, "safe idempotent not"},
		{"broken after it left", func(r request) *Error { return sendError(ctx, r, true, reset) }, "safe idempotent"},
		{"no answer in time", func(r request) *Error { return sendError(ctx, r, true, context.DeadlineExceeded) }, "safe idempotent"},
		{"dialled for too long", func(r request) *Error { return sendError(ctx, r, false, context.DeadlineExceeded) }, "safe idempotent not"},
		{"canceled", func(r request) *Error { return sendError(gone, r, false, gone.Err()) }, ""},
		{"canceled after it left", func(r request) *Error { return sendError(gone, r, true, gone.Err()) }, ""},
		{"cut off", func(r request) *Error { e := bodyError(r, 200, "", reset); e.fault = true; return e }, "safe idempotent"},
		{"not the contract", func(r request) *Error { return bodyError(r, 200, "", nil) }, ""},
		{"429", func(r request) *Error { return statusError(r, 429, "", 0) }, "safe idempotent not"},
		{"425", func(r request) *Error { return statusError(r, 425, "", 0) }, "safe idempotent"},
		{"426", func(r request) *Error { return statusError(r, 426, "", 0) }, ""},
		{"408", func(r request) *Error { return statusError(r, 408, "", 0) }, "safe idempotent"},
		{"500", func(r request) *Error { return statusError(r, 500, "", 0) }, "safe idempotent"},
		{"503", func(r request) *Error { return statusError(r, 503, "", 0) }, "safe idempotent"},
		{"400", func(r request) *Error { return statusError(r, 400, "", 0) }, ""},
		{"401", func(r request) *Error { return statusError(r, 401, "", 0) }, ""},
		{"404", func(r request) *Error { return statusError(r, 404, "", 0) }, ""},
		{"409", func(r request) *Error { return statusError(r, 409, "", 0) }, ""},
		{"302", func(r request) *Error { return statusError(r, 302, "", 0) }, ""},
	}
	for _, tt := range tests {
		may := ""
		for _, r := range []struct {
			effect effect
			name   string
		}{{safe, "safe"}, {idempotent, "idempotent"}, {notIdempotent, "not"}, {oneTime, "one-time"}} {
			call := request{effect: r.effect}
			if call.retryable(tt.fail(call)) {
				may += " " + r.name
			}
		}
		if want := tt.may; may != want && may != " "+want {
			t.Errorf("%s: may be repeated:%s, want %s", tt.name, may, want)
		}
	}
}

// TestJitterLimits: the jitter includes both ends, and a limit of 0 is none.
func TestJitterLimits(t *testing.T) {
	seen := map[time.Duration]bool{}
	jitter := standardPolicy().jitter
	for range 1000 {
		seen[jitter(1)] = true
	}
	if len(seen) != 2 || !seen[0] || !seen[1] || jitter(0) != 0 {
		t.Errorf("got %v of a limit of 1, and %v of 0", seen, jitter(0))
	}
}

// TestPauses: pauses have full jitter, and double up to the limit.
func TestPauses(t *testing.T) {
	p := standardPolicy()
	for n, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond, 5 * time.Second, 5 * time.Second} {
		if got := backoff(p.base, n, p.limit); got != want {
			t.Errorf("after %d retries at most %v, want %v", n, got, want)
		}
	}
	if got := backoff(p.base, 1<<40, p.limit); got != p.limit {
		t.Errorf("after very many retries %v", got)
	}
	low, high := p.limit, time.Duration(0)
	for range 1000 {
		d := p.jitter(p.limit)
		low, high = min(low, d), max(high, d)
	}
	if low < 0 || low > p.limit/20 || high > p.limit || high < p.limit-p.limit/20 {
		t.Errorf("pauses from %v to %v, want from about 0 to about %v", low, high, p.limit)
	}
}

// TestNoTryAtTheDeadline: there is no pause that would last until the deadline.
func TestNoTryAtTheDeadline(t *testing.T) {
	for deadline, want := range map[time.Duration]int{2 * time.Second: 1, 2*time.Second + 1: 2} {
		synctest.Test(t, func(t *testing.T) {
			p := standardPolicy()
			p.tries, p.jitter = 2, func(time.Duration) time.Duration { return 0 }
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			tried, start := 0, time.Now()
			p.run(ctx, p.newHealth(), request{}, func() *Error {
				tried++
				return statusError(request{}, 503, "", 2*time.Second)
			})
			if took := time.Since(start); tried != want || took != time.Duration(want-1)*2*time.Second {
				t.Errorf("deadline %v: %d tries, ended after %v", deadline, tried, took)
			}
		})
	}
}

// TestPaidForAtLast: a retry that does not fit the deadline costs nothing.
func TestPaidForAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := standardPolicy()
		health := p.newHealth()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.run(ctx, health, request{}, func() *Error { return statusError(request{}, 429, "", time.Minute) })
		if e, _ := errors.AsType[*Error](err); e == nil || e.RetryAfter != time.Minute || health.budget.tokens != budgetTokens {
			t.Errorf("%v, %d tokens are left", err, health.budget.tokens)
		}
	})
}
