package streamable

import (
	"context"
	"time"

	"runs-mcp-server/transport/session"
)

// Strangers are callers whom the API does not know (Options.IsKnown). They share one
// account of the quota: enough to initialize, and to have the API accept their keys.
const (
	maxStrangerCalls    = 128
	maxStrangerStreams  = 256
	maxStrangerSessions = 256
	maxStrangerWatches  = 64

	// maxSessionsPerStranger is how many sessions each of them has. The next one
	// replaces the oldest.
	maxSessionsPerStranger = 8
	// maxStrangerBody is how many bytes the body of a stranger's request may have. mcp-go
	// passes over a message about ten times: 1 MiB takes 100 ms of a processor.
	maxStrangerBody = 64 << 10
	// strangerStreamTime is how long a response to GET or to a listen of a stranger
	// stays open. The client may open another.
	strangerStreamTime = time.Minute
)

// strangerLimits returns what strangers together may hold.
func (o *Options) strangerLimits() session.Amounts {
	return session.Amounts{
		session.Calls: maxStrangerCalls, session.Requests: 2 * maxStrangerCalls, session.Streams: maxStrangerStreams,
		session.Sessions: maxStrangerSessions, session.Watches: maxStrangerWatches, session.Bytes: o.StrangerBytes,
	}
}

// accountOf returns the account of a caller: its own if the API knows the caller,
// else that of all strangers.
func (e *endpoint) accountOf(ctx context.Context, caller string) session.Account {
	if e.IsKnown(ctx) {
		return session.Account{Caller: caller}
	}
	return session.Strangers
}

// admitBody refuses the body of a stranger's request if it is too long, or may be. The
// API is asked about the caller first: it may be a known one after a restart. place is the
// request's in the quota. false: the request is answered.
func (e *endpoint) admitBody(x *exchange, place *session.Hold) bool {
	isShort := x.r.ContentLength >= 0 && x.r.ContentLength <= maxStrangerBody
	if isShort || !x.account.Stranger {
		return true
	}
	e.Introduce(x.ctx)
	if x.account = e.accountOf(x.ctx, x.caller); x.account.Stranger {
		e.refuseBody(x.w, "the limit is "+sizeText(maxStrangerBody)+", announced by Content-Length, until the API has accepted the caller's key")
		return false
	}
	place.MoveTo(x.account)
	return true
}

// streamContext returns the context of a response that stays open, and its end.
// place is the response's in the quota.
func (e *endpoint) streamContext(x *exchange, place *session.Hold) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(x.r.Context())
	if !x.account.Stranger {
		return ctx, cancel
	}
	timer := time.AfterFunc(strangerStreamTime, func() {
		account := e.accountOf(x.ctx, x.caller)
		if account.Stranger {
			cancel()
		}
		place.MoveTo(account)
	})
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}
