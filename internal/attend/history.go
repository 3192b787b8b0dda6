package attend

import (
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/bounded"
)

// history is what one person was asked about one run.
type history struct {
	records *bounded.Map[string, *record] // by subject
	// unreported is the outcome of the last question that no call waited for; nil
	// once a call has reported it.
	unreported *Outcome
}

// record is what a person was asked about one need of a run.
type record struct {
	open *question // nil for none
	// approveAsked is when the approve tool had the person asked.
	approveAsked []time.Time

	refusal   Outcome // the last one; its Status is "" where there is none
	digest    string  // of what was refused
	refusedAt time.Time

	task *taskRecord // of the questions of tasks; nil for none
}

// taskRecord is what a person was asked about one need by tasks.
type taskRecord struct {
	askedAt time.Time // when the person was first asked what they are asked now
	answers int       // how many answers came: a number in the keys of questions
	opened  string    // digest of the link that the person opened last, "" for none
}

// taskRecordOf returns the record's part about tasks, a new one where there is none.
func (r *record) taskRecordOf() *taskRecord {
	if r.task == nil {
		r.task = &taskRecord{}
	}
	return r.task
}

// noteTaskAnswer notes that a question of a task was answered: it is not asked again
// under the same key.
func (r *record) noteTaskAnswer(q *question) {
	t := r.taskRecordOf()
	t.answers++
	t.askedAt = time.Time{}
	if q.outcome.Status == Opened {
		t.opened = q.digest
	}
}

const (
	// maxRecords bounds the records of one history. The oldest are forgotten.
	maxRecords = 64
	// recordBytes is what a record takes beside its subject, and what a history takes
	// beside its names and records: TestHistoriesAreBoundedInBytes measures them.
	recordBytes = 640
	// refusalLifetime is how long a refusal is remembered.
	refusalLifetime = time.Hour
	// maxApproveAsked is how often in that time the approve tool has a person asked
	// about one approval.
	maxApproveAsked = 3
)

// recordOf returns the record of a need, a new one where there is none; a.mu is held.
func (a *Attendant) recordOf(pr personRun, subject string) *record {
	h, ok := a.histories.Get(pr)
	if !ok {
		h = &history{records: bounded.New[string, *record](bounded.Limits{Entries: maxRecords, Bytes: maxHistoriesBytes})}
		a.histories.Add(pr, h, recordBytes+pr.size())
	}
	r, ok := h.records.Get(subject)
	if !ok {
		r = &record{}
		h.records.Add(subject, r, recordBytes+len(subject))
		a.histories.Resize(pr, recordBytes+pr.size()+h.records.Bytes())
	}
	return r
}

// findRecord returns the record of a need to read, an empty one where there is none;
// a.mu is held.
func (a *Attendant) findRecord(pr personRun, subject string) *record {
	if h, ok := a.histories.Get(pr); ok {
		if r, ok := h.records.Get(subject); ok {
			return r
		}
	}
	return &record{}
}

// refusedLately reports whether the person refused within the hour.
func (r *record) refusedLately() bool {
	return r.refusal.Status != "" && time.Since(r.refusedAt) < refusalLifetime
}

// refused reports whether the person refused the same content within the hour.
func (r *record) refused(digest string) bool { return r.refusedLately() && r.digest == digest }

// countApproveQuestion counts one more question of the approve tool. It returns false
// where there were enough within the hour.
func (r *record) countApproveQuestion() bool {
	r.approveAsked = slices.DeleteFunc(r.approveAsked, func(at time.Time) bool { return time.Since(at) >= refusalLifetime })
	if len(r.approveAsked) >= maxApproveAsked {
		return false
	}
	r.approveAsked = append(r.approveAsked, time.Now())
	return true
}

// TakeUnreported returns, once, the outcome of a question about a run that no call
// waited for; nil for none.
func (a *Attendant) TakeUnreported(key client.Key, person string, runID client.RunID) *Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.histories.Get(personRun{key, person, runID})
	if !ok {
		return nil
	}
	unreported := h.unreported
	h.unreported = nil
	return unreported
}

// clearUnreported forgets the unreported outcome of a question: the call that has
// just stopped waiting reports it.
func (a *Attendant) clearUnreported(q *question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h, ok := a.histories.Get(q.personRun); ok && h.unreported != nil && h.unreported.Subject == q.subject {
		h.unreported = nil
	}
}

// LastRefusal returns how a person refused to decide on a need within the hour, nil
// where they did not. What the need is about may have changed since.
func (a *Attendant) LastRefusal(key client.Key, person string, runID client.RunID, subject string) *Outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.findRecord(personRun{key, person, runID}, subject)
	if !r.refusedLately() {
		return nil
	}
	o := r.refusal
	return &o
}
