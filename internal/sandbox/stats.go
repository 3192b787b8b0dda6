package sandbox

import "sync/atomic"

// Stats counts what a sandbox has seen since New.
type Stats struct {
	Requests      int // every call, refused ones included
	Creates       int // runs created
	Aborts        int // runs ended by DELETE
	ApprovalCalls int // calls of the approval operation with a good key, refused ones included
	Approvals     int // approvals that counted
	Denials       int // denials that counted
	StreamsOpened int // streams answered 200
	OpenStreams   int // streams open now
}

// Decision is what a person decided on an approval.
type Decision string

// The two decisions; they are also the names of the two links.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
)

type counters struct {
	requests, creates, aborts, approvalCalls, approvals, denials, streamsOpened, openStreams atomic.Int64
}

// Stats returns the counters. Each is exact; together they are no snapshot.
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

// Decisions returns what was decided on that run, in order; nil for a run the
// sandbox does not hold.
func (s *Sandbox) Decisions(runID string) []Decision {
	s.mu.Lock()
	r := s.runs[runID]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Decision(nil), r.decisions...)
}
