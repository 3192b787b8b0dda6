package client

import "sync"

const (
	// budgetTokens is how many tokens a caller's budget holds at most, and at first.
	budgetTokens = 500
	// retryCost is what a retry takes out, and timeoutCost one after a timeout.
	retryCost   = 5
	timeoutCost = 10
	// reward is what a call that needed no retry puts in.
	reward = 1
)

// budget bounds what retries cost an API that is out of order: the token
// bucket of the AWS SDKs' standard mode, with its numbers. Of 1,000 calls in a
// row that all fail, 500/5 = 100 are sent again: 1.1 times the load.
type budget struct {
	mu     sync.Mutex
	tokens int // guarded by mu
}

// take pays for a retry; false, and nothing is paid, where too little is left.
func (b *budget) take(cost int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < cost {
		return false
	}
	b.tokens -= cost
	return true
}

// succeed gives back what the last retry of a call cost that succeeded in the
// end; one that needed none (paid is 0) earns the reward.
func (b *budget) succeed(paid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+max(paid, reward), budgetTokens)
}
