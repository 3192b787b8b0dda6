package tools

import (
	"context"
	"errors"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
)

type arrivalKey struct{}

// arrival is a call as it came in, and what it has asked and told since. It is
// for the call's own goroutine.
type arrival struct {
	tool     string
	at       time.Time
	progress *progress

	// round says where the call stood when it asked its person, zero in a
	// first call; answer is what the person said, until it is used.
	round  approval.Round
	answer *mcp.ElicitationResult
	asked  int  // questions so far
	unkept bool // the call made a run whose approval links may be missed

	elicitation string // id of the link that the person was sent to, until that is finished
	unseen      bool   // the client cancelled: the person may not have seen the link
}

// arrive notes the arrival of a call in its context. A call that brings an
// answer without the state it was asked in, or with a bad one, is refused: it
// would begin anew, and create a second run.
func (s *set) arrive(ctx context.Context, tool string, req mcp.CallToolRequest) (context.Context, error) {
	a := &arrival{tool: tool, at: time.Now(), progress: newProgress(ctx, req)}
	ctx = context.WithValue(ctx, arrivalKey{}, a)
	state, answers := req.Params.RequestState, req.Params.InputResponses
	if state == "" && answers == nil {
		return ctx, nil
	}
	round, err := s.rounds.Open(client.CallerFrom(ctx), tool, state)
	if err != nil {
		return ctx, badRound(err)
	}
	a.round, a.asked, a.answer, a.unkept = round, round.Number, canceled(), round.Unkept
	a.progress.count = round.Said // a client may use one token for all rounds
	if answer := server.ElicitationResponse(answers, round.Name); answer != nil {
		a.answer = answer
	}
	return ctx, nil
}

func arrivalOf(ctx context.Context) *arrival {
	a, _ := ctx.Value(arrivalKey{}).(*arrival)
	return a
}

// resumes reports whether the call goes on with a run after its person was
// asked. An answer that was given about another run is refused.
func (a *arrival) resumes(runID string) (bool, error) {
	switch a.round.RunID {
	case "":
		return false, nil
	case runID:
		return true, nil
	}
	return false, badRound(approval.ErrNotSealed)
}

// unheard reports whether a person decided, and their decision went nowhere.
func (a *arrival) unheard() bool { return a.answer != nil && decided(a.answer) != "" }

// badRound refuses an answer whose state cannot be opened.
func badRound(err error) *problem {
	p := &problem{
		code: codeInvalidArgument, message: err.Error() + "; nothing was done with the answer",
		nextStep: "Do not repeat the call, and create nothing: look with list_runs or get_run, and ask again from there.",
	}
	if errors.Is(err, approval.ErrUsed) {
		p.code = string(client.Conflict)
	}
	return p
}

// unhurried returns a context for what a person's answer sets off: it is done
// even if the client has gone by then. Without an answer it is ctx.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	if !arrivalOf(ctx).unheard() {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), decisionTimeout)
}
