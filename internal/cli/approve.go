package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// Approval is a visit to what waits in one run.
type Approval struct {
	API     *client.Client
	Feeds   *feed.Hub
	Decider *approval.Decider
	Caller  client.Caller
	RunID   client.RunID
	In      io.Reader // a terminal
	Out     io.Writer

	tokens []string // of the run, when it was first read
}

// Approve shows what waits for a person in a run, one approval after the
// other, and sends what they type: y approves, n denies, anything else leaves
// it waiting. Its errors are for the person to read.
func Approve(ctx context.Context, a Approval) error {
	// The stream may tell a link or a tool call only once: it stays open.
	watch := a.Feeds.Watch(a.Caller, a.RunID, 0)
	defer watch.Close()
	read, err := a.Feeds.Snapshot(ctx, a.Caller, a.RunID, feed.Wanted{Decidable: true})
	if err != nil {
		return a.plain(err)
	}
	a.tokens = read.Tokens
	waiting := slices.DeleteFunc(read.Pending, a.Decider.Sent)
	if len(waiting) == 0 {
		fmt.Fprintln(a.Out, a.nothing(read.Status))
		return nil
	}
	people := attend.New(attend.Options{Feeds: a.Feeds, Decider: a.Decider, Secrets: redact.New(), Log: slog.New(slog.DiscardHandler)})
	defer people.Close()
	reading, leave := context.WithCancel(ctx)
	defer leave()
	lines := lines(reading, a.In)
	for i, p := range waiting {
		if len(waiting) > 1 {
			fmt.Fprintf(a.Out, "Approval %d of %d\n", i+1, len(waiting))
		}
		result, err := people.Follow(ctx, attend.Visit{
			Caller: a.Caller, RunID: a.RunID, Only: p.ID, Observer: nobody{}, Person: attend.Person{Name: "terminal", Approvals: true, Ask: a.asks(ctx, lines)},
		})
		if err != nil {
			return a.plain(err)
		}
		if err := a.tell(ctx, *result.Outcome); err != nil {
			return err
		}
	}
	return nil
}

// nobody is told what happens in the run meanwhile.
type nobody struct{}

func (nobody) Seen(context.Context, client.Event, bool)         {}
func (nobody) Tokens([]string)                                  {}
func (nobody) Quiet(_ context.Context, _ client.Status, _ bool) {}

// asks returns how the person at the terminal is asked about one approval, again
// where it changed while they were. Who interrupts the command has not decided,
// whatever they type after that.
func (a Approval) asks(command context.Context, lines <-chan string) func(context.Context, attend.Question) (attend.Answer, error) {
	asked := false
	return func(ctx context.Context, q attend.Question) (attend.Answer, error) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(command, stop)()
		if asked {
			fmt.Fprintln(a.Out, "Nothing was sent: the run asks for something else by now.")
		}
		asked = true
		fmt.Fprintf(a.Out, "%s\n\ny approves, n denies and usually ends the run, anything else leaves it waiting: ", q.Message)
		line, err := next(ctx, lines)
		if err != nil || command.Err() != nil {
			fmt.Fprintln(a.Out)
			return attend.Answer{}, context.Canceled
		}
		if d := typed(line); d != "" {
			return attend.Answer{Action: attend.Accept, Decision: d}, nil
		}
		return attend.Answer{Action: attend.Cancel}, nil
	}
}

// tell says what came of asking.
func (a Approval) tell(ctx context.Context, o attend.Outcome) error {
	switch o.Fate {
	case attend.Sent:
		return a.sent(ctx, o)
	case attend.Gone:
		fmt.Fprintln(a.Out, "Nothing was sent: the run no longer waits for this decision.")
		return nil
	case attend.ChangedOften:
		return errors.New("what would happen changed 3 times while you were asked; nothing was sent, the run waits on")
	case attend.Unsent, attend.Unasked:
		return fmt.Errorf("nothing was sent: %w", a.plain(o.Err))
	}
	fmt.Fprintln(a.Out, "Nothing was sent; the run waits on.")
	return nil
}

// nothing says why there is nothing to decide.
func (a Approval) nothing(status client.Status) string {
	if status == client.Paused {
		return "The run waits, but the API does not tell the approval's link. Decide in the vendor's console."
	}
	return "Nothing waits for a decision: the run is " + a.view().Status(status) + "."
}

// lines reads what the person types, until ctx is done. Nothing wakes a Read of
// a terminal, so the goroutine may stay to the next line, or to the end of the
// process.
func lines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(in); in.Scan(); {
			select {
			case lines <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// errInterrupted is the error of who ends the command before they decided.
var errInterrupted = errors.New("interrupted; nothing was sent, the run waits on")

// typed returns the decision that a line is, "" for none.
func typed(line string) approval.Decision {
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes", "approve":
		return approval.Approve
	case "n", "no", "deny":
		return approval.Deny
	}
	return ""
}

// sent says what became of a decision.
func (a Approval) sent(ctx context.Context, o attend.Outcome) error {
	switch client.KindOf(o.Err) {
	case "":
		if o.Err != nil {
			return o.Err
		}
		fmt.Fprintf(a.Out, "The API took the decision to %s.\n", o.Decision)
		return nil
	case client.InvalidArgument, client.NotFound, client.Conflict:
		return errors.New("the API did not take the decision: the approval was decided elsewhere or has expired")
	case client.OutcomeUnknown:
		return fmt.Errorf("the decision to %s was sent, but the API's answer was lost; %s", o.Decision, a.settled(context.WithoutCancel(ctx)))
	}
	return a.plain(o.Err)
}

// settled says how the run stands after a decision whose answer was lost.
func (a Approval) settled(ctx context.Context) string {
	run, err := a.API.GetRun(ctx, a.Caller, a.RunID, false)
	if err != nil {
		return "look at the run before you decide again"
	}
	return "the run is " + a.view().Status(run.Status) + " now: look at it before you decide again"
}

// view returns the view of the run.
func (a Approval) view() view.View {
	return view.New(redact.New(string(a.Caller.Key)).With(a.tokens...))
}

// plain is an error as a person may read it.
func (a Approval) plain(err error) error {
	if client.KindOf(err) == client.Canceled || errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		text := a.view().Line(e.Message, 300)
		if e.Kind == client.Misconfigured {
			text += "; check --api-url (TR_API_URL)"
		}
		return errors.New(text)
	}
	return err
}
