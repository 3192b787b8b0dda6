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
	st, err := a.Feeds.Pending(ctx, a.Caller, a.RunID)
	if err != nil {
		return a.plain(err)
	}
	a.tokens = st.Tokens
	waiting := slices.DeleteFunc(st.Pending, a.Desk.Sent)
	if len(waiting) == 0 {
		fmt.Fprintln(a.Out, a.nothing(st.Status))
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

// ask shows one approval and sends what the person types, if that is still
// what they were asked.
func (a Approval) ask(ctx context.Context, lines <-chan string, p approval.Pending) error {
	asked, d := "", approval.Decision("")
	for {
		p, question, waits, err := a.now(ctx, p)
		switch {
		case err != nil:
			return a.plain(err)
		case !waits:
			fmt.Fprintln(a.Out, "Nothing was sent: the run no longer waits for this decision.")
			return nil
		case d != "" && question == asked:
			return a.decide(ctx, p, d)
		case d != "":
			fmt.Fprintln(a.Out, "Nothing was sent: the run asks for something else by now.")
		}
		fmt.Fprintf(a.Out, "%s\n\ny approves, n denies and usually ends the run, anything else leaves it waiting: ", question)
		line, err := next(ctx, lines)
		if err != nil {
			return err
		}
		if asked, d = question, typed(line); d == "" {
			fmt.Fprintln(a.Out, "Nothing was sent; the run waits on.")
			return nil
		}
	}
}

// now returns an approval as it waits by now, and the question it makes.
func (a Approval) now(ctx context.Context, p approval.Pending) (now approval.Pending, question string, waits bool, err error) {
	st, err := a.Feeds.Pending(ctx, a.Caller, a.RunID)
	if err != nil {
		return p, "", false, err
	}
	i := slices.IndexFunc(st.Pending, func(o approval.Pending) bool { return o.ID == p.ID })
	if i < 0 {
		return p, "", false, nil
	}
	a.tokens = st.Tokens
	question, err = a.Desk.Question(ctx, a.view().ForPerson(), a.Caller, a.RunID, st.Pending[i])
	return st.Pending[i], question, true, err
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
