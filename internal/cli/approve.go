package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
)

// sendTimeout bounds the sending of a decision that was made.
const sendTimeout = 30 * time.Second

// Approval is a visit to what waits in one run.
type Approval struct {
	API    *client.Client
	Feeds  *feed.Hub
	Desk   *approval.Desk
	Caller client.Caller
	RunID  string
	In     io.Reader // a terminal
	Out    io.Writer

	tokens []string // of the run, when it was first read
}

// Approve shows what waits for a person in a run, one approval after the
// other, and sends what they type: y approves, n denies, anything else leaves
// it waiting. Its errors are for the person to read.
func Approve(ctx context.Context, a Approval) error {
	if !client.IsRunID(a.RunID) {
		return errors.New("a run's id is a UUID such as 123e4567-e89b-12d3-a456-426614174000")
	}
	// The stream may tell a link or a tool call only once: it stays open.
	watch := a.Feeds.Watch(a.Caller, a.RunID, 0)
	defer watch.Close()
	read, err := a.Feeds.Waiting(ctx, a.Caller, a.RunID)
	if err != nil {
		return a.plain(err)
	}
	a.tokens = read.Tokens
	waiting := slices.DeleteFunc(read.Pending, a.Desk.Sent)
	if len(waiting) == 0 {
		fmt.Fprintln(a.Out, a.nothing(read.Status))
		return nil
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	lines := lines(ctx, a.In)
	for i, p := range waiting {
		if len(waiting) > 1 {
			fmt.Fprintf(a.Out, "Approval %d of %d\n", i+1, len(waiting))
		}
		if err := a.ask(ctx, lines, p); err != nil {
			return err
		}
	}
	return nil
}

// maxChanges is how often what would happen may change while the person is asked.
const maxChanges = 3

// ask shows one approval and sends what the person types, if the run still asks
// for that.
func (a Approval) ask(ctx context.Context, lines <-chan string, p approval.Pending) error {
	digest, d := "", approval.Decision("")
	for changes := 0; ; changes++ {
		r, waits, err := a.read(ctx, p)
		switch {
		case err != nil:
			return a.plain(err)
		case !waits:
			fmt.Fprintln(a.Out, "Nothing was sent: the run no longer waits for this decision.")
			return nil
		case d != "" && r.Digest() == digest:
			return a.decide(ctx, r.Pending, d)
		case changes == maxChanges:
			return fmt.Errorf("what would happen changed %d times while you were asked; nothing was sent, the run waits on", maxChanges)
		case changes > 0:
			fmt.Fprintln(a.Out, "Nothing was sent: the run asks for something else by now.")
		}
		fmt.Fprintf(a.Out, "%s\n\ny approves, n denies and usually ends the run, anything else leaves it waiting: ", r.Question(changes > 0))
		line, err := next(ctx, lines)
		if err != nil {
			return err
		}
		if digest, d = r.Digest(), typed(line); d == "" {
			fmt.Fprintln(a.Out, "Nothing was sent; the run waits on.")
			return nil
		}
	}
}

// read reads what an approval is about now; waits is false where the run no
// longer waits for it.
func (a Approval) read(ctx context.Context, p approval.Pending) (r approval.Request, waits bool, err error) {
	read, err := a.Feeds.Waiting(ctx, a.Caller, a.RunID)
	if err != nil {
		return approval.Request{}, false, err
	}
	i := slices.IndexFunc(read.Pending, func(o approval.Pending) bool { return o.ID == p.ID })
	if i < 0 {
		return approval.Request{}, false, nil
	}
	return a.Desk.Request(ctx, a.Caller, read.Run, read.Pending[i], redact.New()), true, nil
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

// next returns the next line, "" at the end of the input. Who interrupts has
// not decided, whatever they type after that.
func next(ctx context.Context, lines <-chan string) (string, error) {
	select {
	case line := <-lines:
		if ctx.Err() == nil {
			return line, nil
		}
	case <-ctx.Done():
	}
	return "", errInterrupted
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

func (a Approval) decide(ctx context.Context, p approval.Pending, d approval.Decision) error {
	sending, done := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer done()
	err := a.Desk.Decide(sending, a.Caller, p, d)
	switch client.KindOf(err) {
	case "":
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Out, "The API took the decision to %s.\n", d)
		return nil
	case client.InvalidArgument, client.NotFound, client.Conflict:
		return errors.New("the API did not take the decision: the approval was decided elsewhere or has expired")
	case client.OutcomeUnknown:
		return fmt.Errorf("the decision to %s was sent, but the API's answer was lost; %s", d, a.settled(sending))
	}
	return a.plain(err)
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
	if client.KindOf(err) == client.Canceled {
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
