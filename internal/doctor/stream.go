package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
)

const (
	// apiHeartbeat is how often the API sends something on a silent stream.
	apiHeartbeat = 20 * time.Second
	// burst is how long the first bytes of a stream may take to come: what has happened
	// so far. Later ones come as they are sent.
	burst = time.Second
	// tick is how often the stream is looked at.
	tick = 20 * time.Millisecond
)

// checkStream checks that what the API sends on an event stream arrives when it is sent.
// Only a run that goes on shows that: when a run ends, its stream does, and even a proxy
// that holds everything back lets go of it.
func (d *doctor) checkStream(ctx context.Context) {
	const name = "event stream"
	if d.StreamWait <= 0 {
		d.skip(areaAPI, name, "--stream-wait=0 leaves it out")
		return
	}
	runID, drop, err := d.runThatGoesOn(ctx)
	if err != nil {
		d.Add(areaAPI, name, Failed, message(err), "Try again later. The event stream could not be checked.")
		return
	}
	if runID == "" {
		d.Add(areaAPI, name, Skipped, "no run goes on now, and only such a run shows whether events arrive at once",
			"Check again while a run goes on, or with --create-run: that creates a run that waits for an approval, and aborts it.")
		return
	}
	defer drop()
	d.Announce(fmt.Sprintf("reading the event stream for up to %s", d.StreamWait))
	d.judgeStream(name, d.readStream(ctx, runID))
}

// runThatGoesOn returns the newest run that has not ended, or the one that was created
// for the check. The run's id is "" if there is none. drop aborts a created run.
func (d *doctor) runThatGoesOn(ctx context.Context) (id client.RunID, drop func(), err error) {
	listing, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	page, err := d.API.ListRuns(listing, d.Caller, client.ListRunsQuery{PageSize: 50})
	if err != nil {
		return "", nil, err
	}
	if i := slices.IndexFunc(page.Runs, func(r client.Run) bool { return !r.Status.Terminal() && r.RunID.Valid() }); i >= 0 {
		return page.Runs[i].RunID, func() {}, nil
	}
	if d.CreateRun == nil {
		return "", nil, nil
	}
	id, err = d.createRun(ctx)
	if err != nil {
		return "", nil, err
	}
	return id, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		defer cancel()
		if err := d.abortRun(ctx, id); err != nil && client.KindOf(err) != client.Conflict {
			d.Add(areaAPI, "created run", Warning, fmt.Sprintf("the run %s that was created for the check could not be aborted: %s", id, message(err)), "Abort it: it waits for an approval.")
		}
	}, nil
}

// createRun creates the run of the check between the two lines of the audit log.
func (d *doctor) createRun(ctx context.Context) (id client.RunID, err error) {
	end, err := d.record(audit.Effect{Action: audit.Create, UserID: d.CreateRun.UserID, Intent: d.CreateRun.Intent})
	if err != nil {
		return "", err
	}
	run, err := d.API.CreateRun(ctx, d.Caller, *d.CreateRun)
	if err == nil && run.RunID.Valid() { // any other text of the API stays out
		id = run.RunID
	}
	end(id, err)
	return id, err
}

// abortRun aborts the run of the check between the two lines of the audit log.
func (d *doctor) abortRun(ctx context.Context, id client.RunID) error {
	end, err := d.record(audit.Effect{Action: audit.Abort, RunID: id})
	if err != nil {
		return err
	}
	err = d.API.AbortRun(ctx, d.Caller, id)
	end("", err)
	return err
}

// record writes the attempt of an effect, if there is an audit log. The caller calls end
// with the outcome.
func (d *doctor) record(e audit.Effect) (end func(client.RunID, error), err error) {
	if d.Audit == nil {
		return func(client.RunID, error) {}, nil
	}
	e.Channel, e.Caller = audit.Terminal, d.Caller
	entry, err := d.Audit.Begin(e)
	if err != nil {
		return nil, err
	}
	return entry.End, nil
}

// streamReading is what was seen of a stream. The times are since it was asked for.
type streamReading struct {
	first  time.Duration // of the first byte, 0 for none
	next   time.Duration // of a byte after the burst, 0 for none
	ended  bool
	waited time.Duration
	err    error // it could not be opened
}

// readStream reads a run's stream until it has brought bytes after its first ones, ends,
// or time is up.
func (d *doctor) readStream(ctx context.Context, runID client.RunID) (r streamReading) {
	ctx, cancel := context.WithTimeout(ctx, d.StreamWait)
	defer cancel()
	start := time.Now()
	defer func() { r.waited = time.Since(start) }()
	stream, err := d.API.OpenStream(ctx, d.Caller, runID, "")
	if err != nil {
		if ctx.Err() == nil {
			r.err = err
		}
		return r
	}
	ended := readToEnd(stream)
	defer func() {
		stream.Close()
		<-ended
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if last := stream.LastByte(); !last.IsZero() {
			r.noteByte(max(last.Sub(start), 1))
		}
		if r.next > 0 {
			return r
		}
		select {
		case <-ended:
			r.ended = ctx.Err() == nil
			return r
		case <-ctx.Done():
			return r
		case <-ticker.C:
		}
	}
}

// noteByte notes when the newest byte came.
func (r *streamReading) noteByte(at time.Duration) {
	if r.first == 0 {
		r.first = at
	}
	if at > r.first+burst {
		r.next = at
	}
}

// readToEnd reads a stream until it ends or is closed, which closes the channel.
func readToEnd(stream *client.Stream) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := stream.Next(); err != nil && !isTooLarge(err) {
				return
			}
		}
	}()
	return ended
}

// isTooLarge reports whether an error is that of one event, after which the stream goes on.
func isTooLarge(err error) bool {
	_, ok := errors.AsType[*client.TooLargeError](err)
	return ok
}

// judgeStream says what a reading of a stream means.
func (d *doctor) judgeStream(name string, r streamReading) {
	const buffered = "Turn response buffering off for text/event-stream in what stands between here and the API (nginx: proxy_buffering off). Until then runs are read every few seconds."
	switch {
	case r.err != nil:
		d.Add(areaAPI, name, Failed, "it cannot be opened: "+message(r.err), "Runs are read every few seconds instead. Check what stands between here and the API.")
	case r.ended:
		d.Add(areaAPI, name, Skipped, "the run ended while its stream was read", "Check again while a run goes on, or with --create-run.")
	case r.next > 0:
		d.ok(areaAPI, name, "first byte after %s, the next ones after %.1f s: nothing holds it back", milliseconds(r.first), r.next.Seconds())
	case r.waited < apiHeartbeat:
		d.Add(areaAPI, name, Skipped, fmt.Sprintf("nothing came within %.1f s, and the API may be silent for %s", r.waited.Seconds(), apiHeartbeat), "Wait longer, with --stream-wait=25s.")
	case r.first > 0:
		d.Add(areaAPI, name, Failed, fmt.Sprintf("the first bytes came, but then none within %.0f s, although the API sends a heartbeat every %s: something holds small pieces back", r.waited.Seconds(), apiHeartbeat), buffered)
	default:
		d.Add(areaAPI, name, Failed, fmt.Sprintf("not one byte within %.0f s, although the API sends a heartbeat every %s: a proxy holds the stream back", r.waited.Seconds(), apiHeartbeat), buffered)
	}
}
