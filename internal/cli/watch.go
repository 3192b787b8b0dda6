package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/redact"
)

// watchCommand shows a run live.
type watchCommand struct {
	RunID string `arg:"" name:"run-id" help:"The run"`
	consoleFlags
}

// Run shows the events of a run until it has ended. A person at a terminal is asked what
// the run waits for. The exit code is 1 if the run did not succeed.
func (c *watchCommand) Run(p *process) error {
	id, err := parseRunID(c.RunID)
	if err != nil {
		return err
	}
	console, err := c.openConsole(p)
	if err != nil {
		return err
	}
	defer console.close()
	w := newWatcher(p, console, id)
	w.approve = c.approveCommand()
	status, err := w.watch(p.ctx)
	if err != nil {
		return err
	}
	result, err := console.callTool(p, "get_run", map[string]any{"runId": id, "includeEvents": false})
	if err := printEnd(w.live.screen, result, err); err != nil {
		return err
	}
	if status != client.Success && status != client.PartialSuccess {
		return errReported
	}
	return nil
}

// printEnd prints how a run ended, and its result.
func printEnd(s *screen, result json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	var end struct {
		Summary string          `json:"summary"`
		Result  json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(result, &end); err != nil {
		return err
	}
	o := outline{out: s.out, columns: s.columns()}
	o.printText("", printable(end.Summary))
	if !isEmpty(end.Result) {
		o.printValue("", "result:", end.Result)
	}
	return nil
}

// watcher is one watching of a run. It is the [attend.Observer] of its run.
type watcher struct {
	*approveDialog
	live     *liveScreen
	keyboard *keyboard // nil: nobody can be asked
	log      *slog.Logger
	approve  string    // the command that decides, without the run's id
	first    time.Time // of the run's first event, as the API tells it
}

// newWatcher returns a watcher. A person can be asked if both ends are a terminal.
func newWatcher(p *process, c *console, runID client.RunID) *watcher {
	live := newLiveScreen(newScreen(p), time.Now)
	w := &watcher{
		approveDialog: &approveDialog{api: c.api, feeds: c.feeds, decider: c.decider, caller: c.caller, runID: runID, out: live}, live: live, log: c.log,
	}
	if isTerminal(p.stdin) && isTerminal(p.stdout) {
		w.keyboard = newKeyboard(readLines(p.ctx, p.stdin))
	}
	return w
}

// watch follows the run to its end and returns its status. A run that needs what nobody
// can give here is watched on.
func (w *watcher) watch(ctx context.Context) (client.Status, error) {
	attendant := attend.New(attend.Options{Feeds: w.feeds, Decider: w.decider, Secrets: redact.New(), Log: w.log, Channel: audit.Terminal})
	defer attendant.Close()
	stop := w.live.start()
	defer stop()
	fmt.Fprintf(w.out, "Run %s\n", w.runID)
	after := int64(0)
	for {
		result, err := attendant.Follow(ctx, attend.Call{
			Caller: w.caller, RunID: w.runID, After: after, Observer: w, Person: w.person(ctx),
			LinkOf: func(a *client.Auth) string { return w.view().AuthorizationLink(a) },
		})
		switch {
		case ctx.Err() != nil:
			return "", errors.New("stopped watching; the run goes on")
		case err != nil:
			return "", w.readableError(err)
		case result.End == attend.Finished:
			return result.State.Status, nil
		}
		w.printNeed(ctx, result)
		after = result.State.Last
	}
}

// person returns how the person at the terminal is asked.
func (w *watcher) person(ctx context.Context) attend.Person {
	if w.keyboard == nil {
		return attend.Person{Name: "terminal"}
	}
	return attend.Person{Name: "terminal", Approvals: true, Links: true, Ask: func(asking context.Context, q attend.Question) (attend.Answer, error) {
		asking, stop := context.WithCancel(asking)
		defer stop()
		defer context.AfterFunc(ctx, stop)()
		return w.ask(asking, q)
	}}
}

// ask shows a question and returns the person's answer. What they typed before it is no
// answer.
func (w *watcher) ask(ctx context.Context, q attend.Question) (attend.Answer, error) {
	prompt := promptDecision
	if q.Kind == attend.Authorization {
		prompt = q.URL + "\n" + promptLink
	}
	w.live.hold()
	defer w.live.release()
	answer := w.keyboard.next()
	fmt.Fprintf(w.out, "\n%s\n\n%s", q.Message, prompt)
	line, err := nextLine(ctx, answer)
	if err != nil {
		fmt.Fprintln(w.out)
		return attend.Answer{}, context.Canceled
	}
	decision := parseDecision(line)
	switch {
	case decision == "" || q.Kind == attend.Authorization && decision != "approve":
		return attend.Answer{Action: attend.Cancel}, nil
	case q.Kind == attend.Authorization:
		return attend.Answer{Action: attend.Accept}, nil
	}
	return attend.Answer{Action: attend.Accept, Decision: decision}, nil
}

// printNeed says what the run waits for, and what came of asking.
func (w *watcher) printNeed(ctx context.Context, r attend.Result) {
	if r.Outcome != nil {
		if r.Outcome.Kind == attend.Authorization {
			fmt.Fprintln(w.out, "The run waits on for the authorisation.")
		} else if err := w.printOutcome(ctx, *r.Outcome); err != nil {
			fmt.Fprintln(w.out, err)
		}
		return
	}
	if r.State.Status == client.AuthRequired {
		fmt.Fprintln(w.out, "It goes on when a person has authorised the integration: in a terminal, runs watch shows the link.")
		return
	}
	fmt.Fprintf(w.out, "It goes on when a person has decided: %s %s\n", w.approve, w.runID)
}

// ObserveEvent implements [attend.Observer]: each event is a line.
func (w *watcher) ObserveEvent(_ context.Context, e client.Event, _ bool) {
	if e.Amended {
		return // shown already
	}
	at, err := time.Parse(time.RFC3339, e.Timestamp)
	if err == nil && w.first.IsZero() {
		w.first = at
	}
	when := "      "
	if err == nil {
		when = fmt.Sprintf("%6s", elapsed(at.Sub(w.first)))
	}
	w.live.noteEvent(e, w.first)
	w.live.printLine(when, e.RunStatus, w.view().Describe(e))
}

// ObserveTokens implements [attend.Observer].
func (w *watcher) ObserveTokens(tokens []string) { w.tokens = append(w.tokens, tokens...) }

// ObserveSilence implements [attend.Observer]. The status line shows that time passes.
func (w *watcher) ObserveSilence(context.Context, client.Status, bool) {}
