package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// approveCommand lets the person at the terminal decide.
type approveCommand struct {
	apiFlags
	logFlags
	auditFlags
	RunID string `arg:"" name:"run-id" help:"The run that waits"`
}

// Run asks the person at the terminal to decide what a run waits for.
func (c *approveCommand) Run(p *process) error {
	if !isTerminal(p.stdin) {
		return usageErrorf("approve asks a person: type it in a terminal, with nothing piped in")
	}
	runID, err := parseRunID(c.RunID)
	if err != nil {
		return err
	}
	key, err := c.key(p.env)
	if err != nil {
		return err
	}
	log, err := c.newLogger(redact.New(string(key)), p)
	if err != nil {
		return err
	}
	c.warnOfKeyFile(p.env, log)
	api, err := c.newClient(0, nil)
	if err != nil {
		return err
	}
	defer api.Close()
	decider := approval.NewDecider(api)
	recorded, _, closeAudit, err := c.openAudit(log)
	if err != nil {
		return err
	}
	defer closeAudit()
	decider.Audit = recorded
	feeds := feed.NewHub(api, decider, feed.Options{Logger: log})
	defer feeds.Close()
	d := approveDialog{api: api, feeds: feeds, decider: decider, caller: client.Caller{Key: key}, runID: runID, in: p.stdin, out: p.out}
	return d.run(p.ctx)
}

// approveDialog is one execution of the command.
type approveDialog struct {
	api     *client.Client
	feeds   *feed.Hub
	decider *approval.Decider
	caller  client.Caller
	runID   client.RunID
	in      io.Reader // a terminal
	out     io.Writer

	tokens []string // of the run's approval links, when it was first read
}

// run shows what waits for a person in a run, one approval after the other, and
// sends what they type: y approves, n denies, anything else leaves it waiting. Its
// errors are for the person to read.
func (d *approveDialog) run(ctx context.Context) error {
	// The stream may tell a link or a tool call only once, so it stays open.
	watch := d.feeds.Watch(d.caller, d.runID, 0)
	defer watch.Close()
	read, err := d.feeds.Snapshot(ctx, d.caller, d.runID, feed.Wanted{Decidable: true})
	if err != nil {
		return d.readableError(err)
	}
	d.tokens = read.Tokens
	waiting := slices.DeleteFunc(read.Pending, d.decider.Sent)
	if len(waiting) == 0 {
		fmt.Fprintln(d.out, d.nothingWaits(read.Status))
		return nil
	}
	attendant := attend.New(attend.Options{Feeds: d.feeds, Decider: d.decider, Secrets: redact.New(), Log: slog.New(slog.DiscardHandler), Channel: audit.Terminal})
	defer attendant.Close()
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	lines := readLines(reading, d.in)
	for i, p := range waiting {
		if len(waiting) > 1 {
			fmt.Fprintf(d.out, "Approval %d of %d\n", i+1, len(waiting))
		}
		result, err := attendant.Follow(ctx, attend.Call{
			Caller: d.caller, RunID: d.runID, Only: p.ID, Observer: noObserver{},
			Person: attend.Person{Name: "terminal", Approvals: true, Ask: d.asker(ctx, lines)},
		})
		if err != nil {
			return d.readableError(err)
		}
		outcome := attend.Outcome{Status: attend.Gone} // without an outcome the run ended, or the person interrupted
		switch {
		case result.Outcome != nil:
			outcome = *result.Outcome
		case ctx.Err() != nil:
			return errInterrupted
		}
		if err := d.printOutcome(ctx, outcome); err != nil {
			return err
		}
	}
	return nil
}

// nothingWaits says why there is nothing to decide.
func (d *approveDialog) nothingWaits(status client.Status) string {
	if status == client.Paused {
		return "The run waits, but the API does not tell the approval's link. Decide in the vendor's console."
	}
	return "Nothing waits for a decision: the run is " + d.view().Status(status) + "."
}

// noObserver ignores the events of the run.
type noObserver struct{}

func (noObserver) ObserveEvent(context.Context, client.Event, bool)    {}
func (noObserver) ObserveTokens([]string)                              {}
func (noObserver) ObserveSilence(context.Context, client.Status, bool) {}

// asker returns how the person is asked about one approval, again if it changed
// while they were asked. A person who interrupts the command has not decided,
// whatever they type after that.
func (d *approveDialog) asker(command context.Context, lines <-chan string) func(context.Context, attend.Question) (attend.Answer, error) {
	asked := false
	return func(ctx context.Context, q attend.Question) (attend.Answer, error) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(command, stop)()
		if asked {
			fmt.Fprintln(d.out, "Nothing was sent: the run asks for something else by now.")
		}
		asked = true
		fmt.Fprintf(d.out, "%s\n\n%s", q.Message, promptDecision)
		line, err := nextLine(ctx, lines)
		if err != nil || command.Err() != nil {
			fmt.Fprintln(d.out)
			return attend.Answer{}, context.Canceled
		}
		if decision := parseDecision(line); decision != "" {
			return attend.Answer{Action: attend.Accept, Decision: decision}, nil
		}
		return attend.Answer{Action: attend.Cancel}, nil
	}
}

// printOutcome prints what became of a question.
func (d *approveDialog) printOutcome(ctx context.Context, o attend.Outcome) error {
	switch o.Status {
	case attend.Sent:
		return d.printSent(ctx, o)
	case attend.Gone:
		fmt.Fprintln(d.out, "Nothing was sent: the run no longer waits for this decision.")
		return nil
	case attend.ChangedOften:
		return errors.New("what would happen changed 3 times while you were asked; nothing was sent, the run waits on")
	case attend.Unsent, attend.NotAsked:
		return fmt.Errorf("nothing was sent: %w", d.readableError(o.Err))
	}
	fmt.Fprintln(d.out, "Nothing was sent; the run waits on.")
	return nil
}

// printSent prints what became of a decision that was sent.
func (d *approveDialog) printSent(ctx context.Context, o attend.Outcome) error {
	switch client.KindOf(o.Err) {
	case "":
		if o.Err != nil {
			return o.Err
		}
		fmt.Fprintf(d.out, "The API took the decision to %s.\n", o.Decision)
		return nil
	case client.InvalidArgument, client.NotFound, client.Conflict:
		return errors.New("the API did not take the decision: the approval was decided elsewhere or has expired")
	case client.OutcomeUnknown:
		return fmt.Errorf("the decision to %s was sent, but the API's answer was lost; %s", o.Decision, d.statusNow(context.WithoutCancel(ctx)))
	}
	return d.readableError(o.Err)
}

// statusNow says what status the run has after a decision whose answer was lost.
func (d *approveDialog) statusNow(ctx context.Context) string {
	run, err := d.api.GetRun(ctx, d.caller, d.runID, false)
	if err != nil {
		return "look at the run before you decide again"
	}
	return "the run is " + d.view().Status(run.Status) + " now: look at it before you decide again"
}

// readableError returns an error as the person may read it, without secrets.
func (d *approveDialog) readableError(err error) error {
	if client.KindOf(err) == client.Canceled || errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		text := d.view().Line(e.Message, 300)
		if e.Kind == client.Misconfigured {
			text += "; check --api-url (TR_API_URL)"
		}
		return errors.New(text)
	}
	return err
}

// view returns a view that hides the caller's key and the run's tokens.
func (d *approveDialog) view() view.View {
	return view.New(redact.New(string(d.caller.Key)).With(d.tokens...))
}
