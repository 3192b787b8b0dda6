package tools

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

// goOn takes up the wait where the round before left it.
func (w *waiter) goOn() {
	w.told, w.sentTo, w.history = w.round.Told, w.round.SentTo, false
	w.deadline = w.at.Add(w.round.TimeLeft)
}

// waitAsking waits as wait does. What the run needs of a person on the way is
// asked there and then, where the client can and the operator allows it, and
// the wait goes on; its time stands still meanwhile.
func (w *waiter) waitAsking(ctx context.Context) (end string, err error) {
	for end, err = w.begin(ctx); err == nil && end == endNeedsPerson; {
		askedAt := time.Now()
		met, err := w.meet(ctx)
		w.deadline = w.deadline.Add(time.Since(askedAt)) // of the look that ends the call, too
		if err != nil || !met {
			return end, err
		}
		if end = w.follow(w.state); end == "" {
			if end, err = w.wait(ctx); err != nil {
				return "", err
			}
		}
		w.tellLinked(ctx)
	}
	return end, err
}

// begin waits, unless the call brought the answer of its person: that comes
// first, whether or not the client still listens.
func (w *waiter) begin(ctx context.Context) (end string, err error) {
	if w.answer == nil {
		return w.wait(ctx)
	}
	patient, cancel := w.unhurried(ctx)
	defer cancel()
	st, err := w.Feeds.Pending(patient, w.caller, w.runID)
	if err != nil {
		return "", err
	}
	if end := w.follow(st); end != "" {
		return end, nil
	}
	return w.wait(ctx)
}

// meet asks a person for what the run needs, and reports whether the wait can
// go on.
func (w *waiter) meet(ctx context.Context) (met bool, err error) {
	waiting := w.undecided(w.state.Pending)
	switch {
	case len(waiting) > 0 && w.asksApprovals(w.call):
		return w.meetDecision(ctx, w.answered(waiting))
	case w.state.Status == client.AuthRequired && w.asksAuthorization():
		met, err := w.askAuthorization(ctx)
		if err != nil {
			return false, w.unasked(err)
		}
		return met, nil
	}
	return false, nil
}

// meetDecision asks a person to decide, unless somebody has.
func (w *waiter) meetDecision(ctx context.Context, p approval.Pending) (met bool, err error) {
	patient, cancel := w.unhurried(ctx)
	defer cancel()
	r, waits, err := w.readRequest(patient, w.call, w.runID, p.ID)
	if err != nil {
		return false, w.unasked(err)
	}
	if !waits {
		w.gone = append(w.gone, p.ID)
		return true, nil
	}
	d, err := w.askDecision(ctx, w.call, r, w.position())
	if err != nil {
		return false, w.unasked(err)
	}
	w.note, w.later = d.summary(false), ""
	if d.undecided != "" {
		w.later = w.askLater(w.runID)
	}
	notTaken := w.notTaken(d)
	if notTaken != nil {
		w.note = "The decision was not taken: " + w.why(notTaken) + "."
	}
	return d.known && notTaken == nil, nil
}

// undecided returns the approvals on which this server sent no decision, and
// which the run was not read without.
func (w *waiter) undecided(pending []approval.Pending) []approval.Pending {
	return slices.DeleteFunc(w.unsent(pending), func(p approval.Pending) bool { return slices.Contains(w.gone, p.ID) })
}

// unasked is the error of a question that ends this round of the call; one
// that could not be put ends the wait alone, and the run waits on.
func (w *waiter) unasked(err error) error {
	if needed := (*inputNeeded)(nil); errors.As(err, &needed) {
		return err
	}
	switch {
	case errors.Is(err, errEnough):
		w.note = "The user was asked often enough in one call."
	case errors.Is(err, errChanges):
		w.note = fmt.Sprintf("What would happen changed %d times while the user was asked. Nothing was sent.", maxChanges)
		w.later = w.askLater(w.runID)
	default:
		w.Log.Info("a person could not be asked", "runId", w.runID, "error", err)
		w.note = "The user could not be asked: " + w.why(err) + "."
	}
	return nil
}

// answered returns the approval that the person's answer is about, else the first.
func (c *call) answered(waiting []approval.Pending) approval.Pending {
	i := slices.IndexFunc(waiting, func(p approval.Pending) bool { return p.ID == c.round.Subject })
	return waiting[max(i, 0)]
}

// position is the round of a question that is put where the wait stands now.
func (w *waiter) position() approval.Round {
	return approval.Round{RunID: w.runID, Told: max(w.told, w.watch.Cursor()), SentTo: w.sentTo, TimeLeft: time.Until(w.deadline)}
}

// asksApprovals reports whether a waiting call may ask its person to decide.
func (s *set) asksApprovals(c *call) bool {
	return s.AskApprovals && s.Offers("approve") && c.canAsk(mcp.ElicitationModeForm)
}

// asksAuthorization reports whether the person is to be asked to authorise.
// Nobody is asked twice for the same in one call.
func (w *waiter) asksAuthorization() bool {
	return w.asksLinks(w.call) && w.state.Since > w.sentTo && w.state.Auth != nil && w.view().AuthorizationLink(w.state.Auth) != ""
}

// asksLinks reports whether authorisation links go to the person at the client
// and not through the model.
func (s *set) asksLinks(c *call) bool {
	return s.AskAuthorization && c.canAsk(mcp.ElicitationModeURL) && !c.linkUnseen
}

// askAuthorization sends the person to the link with which an integration is
// authorised, and reports whether they went. A client that cancelled may have
// shown it to nobody.
func (w *waiter) askAuthorization(ctx context.Context) (went bool, err error) {
	round := w.position()
	link := w.view().AuthorizationLink(w.state.Auth)
	round.Subject, round.Digest = fmt.Sprintf("authorization %d", w.state.Since), linkDigest(link)
	name := approval.Quote(w.Secrets.With(string(w.caller.Key)), w.state.Auth.IntegrationName, 128)
	w.linkID = uuid.NewString()
	answer, err := w.ask(ctx, w.call, question{name: "authorization", round: round, params: mcp.ElicitationParams{
		Mode:          mcp.ElicitationModeURL,
		Message:       "A run needs your permission to use " + name + ". Open the link to give it; the run goes on by itself.",
		ElicitationID: w.linkID,
		URL:           link,
	}})
	if err != nil {
		return false, err
	}
	switch answer.Action {
	case mcp.ElicitationResponseActionAccept:
		w.sentTo = w.state.Since
		return true, nil
	case mcp.ElicitationResponseActionDecline:
		w.note, w.later = "The user declined to authorise the integration.", w.authorizeLater()
	default:
		w.linkUnseen = true
	}
	return false, nil
}

// linkDigest names a link.
func linkDigest(link string) string {
	sum := sha256.Sum256([]byte(link))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// tellLinked tells a client of an older protocol that its person has finished
// with the link, so that it can take its dialog away.
func (w *waiter) tellLinked(ctx context.Context) {
	if w.linkID == "" || w.sentTo == 0 || w.state.Status == client.AuthRequired || w.modern {
		return
	}
	w.progress.send(ctx, mcp.MethodNotificationElicitationComplete, map[string]any{"elicitationId": w.linkID})
	w.linkID = ""
}
