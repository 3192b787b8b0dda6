package attend

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

// Task is a run whose client asks its person between calls. A stateless client reads the
// questions, and brings the answers with another request. The server keeps nothing of
// that, so each question has a key that every replica makes and checks by itself.
type Task struct {
	Caller client.Caller
	RunID  client.RunID
	Person Person                    // Ask is nil for a stateless client
	LinkOf func(*client.Auth) string // see [Call.LinkOf]
}

// TaskQuestion is a question of a task.
type TaskQuestion struct {
	// Key is authentic: it names the need, its content (see [approval.Request.Digest]) and
	// how many answers came before. It is the caller's alone. Every replica makes the
	// same, whatever the text says of what only one of them remembers.
	Key string
	Question

	question *question
}

// TaskQuestions returns what the person is to be asked about a run as it was read. If
// the run waits and nothing may be asked, it returns why, by the last of what waits.
// As long as a client reads the questions, no stateless call asks the same.
func (a *Attendant) TaskQuestions(ctx context.Context, t Task, snapshot feed.Snapshot) (asked []TaskQuestion, notAsked *Outcome) {
	for _, q := range a.taskNeeds(ctx, t, snapshot) {
		a.mu.Lock()
		key, why := a.taskKey(t, q)
		if why == nil {
			a.markAsked(q, t.Person.Ask == nil)
		}
		a.mu.Unlock()
		if why != nil {
			notAsked = why
			continue
		}
		if q.kind == Authorization {
			q.text.ID = key
		}
		asked = append(asked, TaskQuestion{Key: key, Question: q.text, question: q})
	}
	return asked, notAsked
}

// taskNeeds returns a question for each thing that a run needs of its person and that
// they may be asked for, at most maxQuestions.
func (a *Attendant) taskNeeds(ctx context.Context, t Task, snapshot feed.Snapshot) (needs []*question) {
	person := personRun{t.Caller.Key, t.Person.Name, t.RunID}
	if t.Person.Approvals {
		for _, p := range snapshot.Pending {
			if len(needs) < maxQuestions && !a.Decider.Sent(p) {
				needs = append(needs, a.decisionQuestion(ctx, person, t.Caller, snapshot.Run, p, false))
			}
		}
	}
	auth := snapshot.Auth
	if t.Person.Links && snapshot.Status == client.AuthRequired && auth != nil {
		if link := t.LinkOf(auth); link != "" {
			needs = append(needs, a.linkQuestion(person, t.Caller, snapshot.State, link))
		}
	}
	for _, q := range needs {
		q.ofTask = true
	}
	return needs
}

// taskKey returns the key of a question, or why it is not asked now. a.mu is held.
func (a *Attendant) taskKey(t Task, q *question) (key string, why *Outcome) {
	outcome := func(s Status) (string, *Outcome) {
		o := q.withStatus(s, nil)
		return "", &o
	}
	record := a.findRecord(q.personRun, q.subject)
	round, inRound := a.rounds.Get(q.need())
	switch {
	case a.decidedQuestion(q.need()) != nil, record.open != nil && record.open.answered:
		return outcome(Sending)
	case record.open != nil:
		return outcome(Open)
	case inRound && !round.ofTask:
		return outcome(AskedElsewhere)
	case record.refused(q.digest):
		o := record.refusal
		return "", &o
	case record.task != nil && record.task.opened == q.digest:
		return outcome(Opened)
	}
	answers := 0
	if record.task != nil {
		answers = record.task.answers
	}
	return t.keyOf(q, answers), nil
}

// keyOf returns the key of a question before which so many answers came.
func (t Task) keyOf(q *question, answers int) string {
	mac := hmac.New(sha256.New, keyFor(t.Caller, "task question"))
	for _, part := range []string{t.Caller.UserID, string(t.RunID), string(q.kind), q.subject, q.digest} {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(part))) // so that parts cannot run together
		mac.Write([]byte(part))
	}
	_ = binary.Write(mac, binary.BigEndian, uint64(answers))
	return string(q.kind) + "-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

// markAsked notes when the person was first asked, and keeps stateless calls from asking
// the same for a while. a.mu is held.
func (a *Attendant) markAsked(q *question, stateless bool) {
	if !stateless {
		return // the calls of a session ask by themselves
	}
	if t := a.recordOf(q.personRun, q.subject).taskRecordOf(); t.askedAt.IsZero() {
		t.askedAt = time.Now()
		a.asked[q.kind]++
	}
	if !a.rounds.Has(q.need()) {
		a.startRound(q)
	}
}

// AskTask asks the person at a stateful client, in the background, the first question of
// a task that is not open yet. Calls of the session join it. Where the client could not
// be asked now, a later call asks.
func (a *Attendant) AskTask(ctx context.Context, t Task, snapshot feed.Snapshot) {
	for _, q := range a.taskNeeds(ctx, t, snapshot) {
		if a.startTaskQuestion(t, q) {
			return
		}
	}
}

// startTaskQuestion asks a question, unless it must not be asked now.
func (a *Attendant) startTaskQuestion(t Task, q *question) (started bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, why := a.taskKey(t, q); why != nil {
		return false
	}
	if q.kind == Authorization {
		q.text.ID = uuid.NewString()
	}
	started = a.startQuestion(q, t.Caller, time.Now(), func(ctx context.Context) (Answer, error) {
		answer, err := t.Person.Ask(ctx, q.text)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", context.Canceled, err) // nobody saw the question, so nobody refused
		}
		return answer, err
	})
	if started {
		a.recordOf(q.personRun, q.subject).open = q
	}
	return started
}

// taskAnswerTimeout is how long the bringing of an answer waits for its outcome. The
// decision is sent all the same.
const taskAnswerTimeout = 10 * time.Second

// AnswerTask acts on the answers to questions of a task, by their keys, as if they had
// come to calls. Keys of no question that is open now are ignored. It waits a little
// until the decisions are sent. Its error says that the server is stopping.
func (a *Attendant) AnswerTask(ctx context.Context, t Task, snapshot feed.Snapshot, answers map[string]Answer) error {
	ctx, cancel := context.WithTimeout(ctx, taskAnswerTimeout)
	defer cancel()
	var started []*question
	for _, q := range a.taskNeeds(ctx, t, snapshot) {
		isStarted, err := a.startTaskAnswer(t, q, answers)
		if err != nil {
			return err
		}
		if isStarted {
			started = append(started, q)
		}
	}
	for _, q := range started {
		select {
		case <-q.done:
		case <-ctx.Done():
		}
		a.stopWaiting(q, false)
	}
	return nil
}

// startTaskAnswer acts on the answer to a question if there is one under its key.
func (a *Attendant) startTaskAnswer(t Task, q *question, answers map[string]Answer) (started bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, why := a.taskKey(t, q)
	answer, ok := answers[key]
	if why != nil || !ok {
		return false, nil
	}
	record := a.recordOf(q.personRun, q.subject)
	askedAt := record.taskRecordOf().askedAt // zero: another replica asked, long enough ago
	q.answered = true
	if !a.startQuestion(q, t.Caller, askedAt, func(context.Context) (Answer, error) { return answer, nil }) {
		return false, errClosed
	}
	record.open = q // until it has its outcome, the question is not asked again
	q.waiters++
	return true, nil
}
