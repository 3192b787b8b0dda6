package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/view"
)

// resume takes up the wait where the round before left it.
func (w *waiter) resume(a *arrival) {
	w.told, w.linked, w.history = a.round.Told, a.round.Linked, false
	w.deadline = a.at.Add(a.round.Left)
}

// waitAsking waits as wait does. What the run needs of a person on the way is
// asked there and then, where the client can and the operator allows it, and
// the wait goes on; its time stands still meanwhile.
func (w *waiter) waitAsking(ctx context.Context) (end string, err error) {
	for end, err = w.begin(ctx); err == nil && end == endNeedsPerson; {
		asked := time.Now()
		met, err := w.meet(ctx)
		w.deadline = w.deadline.Add(time.Since(asked)) // of the look that ends the call, too
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
	a := arrivalOf(ctx)
	if a.answer == nil {
		return w.wait(ctx)
	}
	patient, cancel := unhurried(ctx)
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
	waiting := w.unsent(w.state.Pending)
	switch {
	case len(waiting) > 0 && w.asksApprovals(ctx):
		d, err := w.askDecision(ctx, w.caller, w.runID, w.asked(ctx, waiting), w.round())
		if err != nil {
			return false, w.unasked(err)
		}
		w.note, w.undecided = d.summary(false), d.undecided != ""
		if p := d.problem(); p != nil {
			w.note = "The decision was not taken: " + w.why(p) + "."
		}
		return d.known && d.problem() == nil, nil
	case w.state.Status == client.AuthRequired && w.asksAuthorization(ctx):
		met, err := w.askAuthorization(ctx)
		if err != nil {
			return false, w.unasked(err)
		}
		return met, nil
	}
	return false, nil
}

// unasked is the error of a question that ends this round of the call; one
// that could not be put ends the wait alone, and the run waits on.
func (w *waiter) unasked(err error) error {
	if needed := (*inputNeeded)(nil); errors.As(err, &needed) {
		return err
	}
	w.note = "The user was asked often enough in one call."
	if !errors.Is(err, errEnough) {
		w.Log.Info("a person could not be asked", "runId", w.runID, "error", err)
		w.note = "The user could not be asked: " + w.why(err) + "."
	}
	return nil
}

// asked returns the approval that the person's answer is about, else the first.
func (w *waiter) asked(ctx context.Context, waiting []approval.Pending) approval.Pending {
	i := slices.IndexFunc(waiting, func(p approval.Pending) bool { return p.ID == arrivalOf(ctx).round.Asked })
	return waiting[max(i, 0)]
}

// round says where the wait stands.
func (w *waiter) round() approval.Round {
	return approval.Round{RunID: w.runID, Told: max(w.told, w.watch.Cursor()), Linked: w.linked, Left: time.Until(w.deadline)}
}

// asksApprovals reports whether a waiting call may ask its person to decide.
func (s *set) asksApprovals(ctx context.Context) bool {
	return s.AskApprovals && s.Offers("approve") && canAsk(ctx, mcp.ElicitationModeForm)
}

// asksAuthorization reports whether the person is to be asked to authorise.
// Nobody is asked twice for the same in one call.
func (w *waiter) asksAuthorization(ctx context.Context) bool {
	return w.asksLinks(ctx) && w.state.Since > w.linked && w.state.Auth != nil && w.View.AuthorizationLink(w.state.Auth) != ""
}

// asksLinks reports whether authorisation links go to the person at the client
// and not through the model.
func (s *set) asksLinks(ctx context.Context) bool {
	return s.AskAuthorization && canAsk(ctx, mcp.ElicitationModeURL) && !arrivalOf(ctx).unseen
}

// askAuthorization sends the person to the link with which an integration is
// authorised, and reports whether they went. A client that cancelled may have
// shown it to nobody.
func (w *waiter) askAuthorization(ctx context.Context) (went bool, err error) {
	round := w.round()
	round.Asked = fmt.Sprintf("authorization %d", w.state.Since)
	a := arrivalOf(ctx)
	a.elicitation = uuid.NewString()
	answer, err := w.ask(ctx, w.caller, question{name: "authorization", round: round, params: mcp.ElicitationParams{
		Mode:          mcp.ElicitationModeURL,
		Message:       "A run needs your permission to use " + view.Quote(w.View.Line(w.state.Auth.IntegrationName, 128)) + ". Open the link to give it; the run goes on by itself.",
		ElicitationID: a.elicitation,
		URL:           w.View.AuthorizationLink(w.state.Auth),
	}})
	if err != nil {
		return false, err
	}
	switch answer.Action {
	case mcp.ElicitationResponseActionAccept:
		w.linked = w.state.Since
		return true, nil
	case mcp.ElicitationResponseActionDecline:
		w.note, w.undecided = "The user declined to authorise the integration.", true
	default:
		a.unseen = true
	}
	return false, nil
}

// tellLinked tells a client of an older protocol that its person has finished
// with the link, so that it can take its dialog away.
func (w *waiter) tellLinked(ctx context.Context) {
	a := arrivalOf(ctx)
	if a.elicitation == "" || w.linked == 0 || w.state.Status == client.AuthRequired || server.IsModernRequest(ctx) {
		return
	}
	a.progress.send(ctx, mcp.MethodNotificationElicitationComplete, map[string]any{"elicitationId": a.elicitation})
	a.elicitation = ""
}
