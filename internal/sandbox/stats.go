package sandbox

import (
	"slices"
	"sync/atomic"
)

// Stats counts what happened in a sandbox since New.
type Stats struct {
	Requests      int // requests, also refused ones
	Creates       int // runs created
	Aborts        int // runs ended by DELETE
	ApprovalCalls int // approval requests with a good key, also refused ones
	Approvals     int // approve decisions that were applied
	Denials       int // deny decisions that were applied
	StreamsOpened int // streams answered 200
	OpenStreams   int // streams open now
}

// Decision is what a person decided on an approval.
type Decision string

// The two decisions. They are also the actions of the two approval links.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
)

type counters struct {
	requests, creates, aborts, approvalCalls, approvals, denials, streamsOpened, openStreams atomic.Int64
}

// Stats returns the counters. They are read one after the other.
func (s *Sandbox) Stats() Stats {
	return Stats{
		Requests:      int(s.counts.requests.Load()),
		Creates:       int(s.counts.creates.Load()),
		Aborts:        int(s.counts.aborts.Load()),
		ApprovalCalls: int(s.counts.approvalCalls.Load()),
		Approvals:     int(s.counts.approvals.Load()),
		Denials:       int(s.counts.denials.Load()),
		StreamsOpened: int(s.counts.streamsOpened.Load()),
		OpenStreams:   int(s.counts.openStreams.Load()),
	}
}

// Decisions returns the decisions on a run, in order. It returns nil for an unknown
// run.
func (s *Sandbox) Decisions(runID string) []Decision {
	s.mu.Lock()
	r := s.runs[runID]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.decisions)
}
