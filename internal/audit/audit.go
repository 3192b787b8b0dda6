// Package audit writes the audit log: two lines of JSON for each create, abort and
// decision.
//
// The first line, the attempt, is written before the request is sent, and the second,
// the outcome, before the answer goes out. Both have the same id. An attempt without an
// outcome means that the process ended in between: then the effect may have happened.
//
// A line holds no contents and no secrets: callers are hashed ([Hasher]), and of what
// was decided there are a digest and names of tools.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/appendfile"
	"runs-mcp-server/internal/redact"
)

// Action is what is done to a run.
type Action string

// The actions.
const (
	Create Action = "create"
	Abort  Action = "abort"
	Decide Action = "decide"
)

// Channel says who does it, and how it came here.
type Channel string

// The channels.
const (
	Tool     Channel = "tool"     // a model, by a tool
	Task     Channel = "task"     // a client, by a request about a task
	Client   Channel = "client"   // a person who was asked at their client
	Terminal Channel = "terminal" // a person in a terminal, by the approve command
	Agent    Channel = "agent"    // a model that may decide
)

// Effect is what an entry is about.
type Effect struct {
	Action   Action
	Channel  Channel
	Caller   client.Caller
	UserID   string       // that the run acts for, "" if it is the caller's
	RunID    client.RunID // "" before a create
	Decision string       // of Decide: approve or deny
	Digest   string       // of what is decided: see [approval.Request.Digest]
	Intent   string       // of Create; the line has a keyed hash of it
	Tools    []string     // the names of the tools that would be called
	Secrets  *redact.Set  // of the run: no name of a tool that holds one is written; may be nil
}

// ErrRefused says that nothing was sent, because the attempt could not be written.
var ErrRefused = errors.New("the audit log cannot be written")

// Options are the settings of a [Log].
type Options struct {
	Path string
	// Refuse has effects refused while the log cannot be written. Otherwise they go on
	// and the log of the program says that lines are missing.
	Refuse bool
	Log    *slog.Logger
}

// Log is an open audit log. It is safe for concurrent use.
type Log struct {
	*Hasher
	options Options
	file    *appendfile.File
	failed  atomic.Int64 // writes that failed

	mu      sync.Mutex // guards the rest
	waiting [][]byte   // lines that could not be written yet
	broken  bool       // the last write failed
}

// maxWaiting is how many lines are kept that could not be written. The oldest are lost
// beyond it.
const maxWaiting = 1024

// Open opens the audit log and its key file, and creates them if there are none.
func Open(o Options) (*Log, error) {
	file, err := appendfile.Open(o.Path)
	if err != nil {
		return nil, err
	}
	hasher, err := openHasher(o.Path + KeyFileSuffix)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Log{Hasher: hasher, options: o, file: file}, nil
}

// Failures returns how many times the log could not be written.
func (l *Log) Failures() int64 { return l.failed.Load() }

// Close writes the lines that wait, if that is possible now, and closes the log.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writeWaiting(); err != nil {
		l.options.Log.Error("lines of the audit log were lost", "lines", len(l.waiting), "error", err)
	}
	_ = l.file.Close() // every line was handed to the operating system before
}

// Entry is an effect that was attempted.
type Entry struct {
	log  *Log
	line line
}

// line is one line of the log.
type line struct {
	Time     string   `json:"time"`
	Event    string   `json:"event"` // attempt or outcome
	ID       string   `json:"id"`
	Action   Action   `json:"action"`
	Channel  Channel  `json:"channel"`
	Caller   string   `json:"caller"`
	User     string   `json:"user,omitempty"`
	Run      string   `json:"run,omitempty"`
	Decision string   `json:"decision,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Tools    []string `json:"tools,omitempty"`
	Outcome  string   `json:"outcome,omitempty"` // ok, or why not
}

// Begin writes the attempt. Its error is [ErrRefused]: the effect must not happen.
func (l *Log) Begin(e Effect) (*Entry, error) {
	entry := &Entry{l, l.lineOf(e)}
	entry.line.Event = "attempt"
	err := l.append(entry.line, !l.options.Refuse)
	if err != nil && l.options.Refuse {
		return nil, ErrRefused
	}
	return entry, nil
}

// End writes the outcome: that of the error with which the request ended. runID is that
// of a run that was created. What has happened cannot be refused any more, so a line
// that cannot be written is kept and written before the next one.
func (e *Entry) End(runID client.RunID, err error) {
	if runID != "" {
		e.line.Run = string(runID)
	}
	e.line.Event, e.line.Outcome = "outcome", Outcome(err)
	_ = e.log.append(e.line, true)
}

// Outcome names the outcome of a request: ok, the kind of its error, or failed.
func Outcome(err error) string {
	kind := client.KindOf(err)
	switch {
	case err == nil:
		return "ok"
	case kind == "":
		return "failed"
	}
	return string(kind)
}

// maxTools is how many tools a line names.
const maxTools = 20

// lineOf returns the line of an effect without its event.
func (l *Log) lineOf(e Effect) line {
	out := line{
		ID: uuid.NewString(), Action: e.Action, Channel: e.Channel, Caller: l.Caller(e.Caller.Key),
		User: e.Caller.UserID, Run: string(e.RunID), Decision: e.Decision, Digest: e.Digest,
	}
	if e.UserID != "" {
		out.User = e.UserID
	}
	if e.Intent != "" {
		out.Digest = l.Text(e.Intent)
	}
	secrets := e.Secrets
	if secrets == nil {
		secrets = redact.New()
	}
	secrets = secrets.With(string(e.Caller.Key))
	for _, name := range e.Tools[:min(len(e.Tools), maxTools)] {
		out.Tools = append(out.Tools, shownTool(secrets, name))
	}
	if more := len(e.Tools) - maxTools; more > 0 {
		out.Tools = append(out.Tools, fmt.Sprintf("(%d more)", more))
	}
	return out
}

// toolName matches names that hold no text.
var toolName = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// shownTool returns the name of a tool, unless it is no name or holds a secret: the API
// takes it from an integration.
func shownTool(secrets *redact.Set, name string) string {
	if _, hidden := secrets.ForModel(name); hidden > 0 || !toolName.MatchString(name) {
		return "(not shown)"
	}
	return name
}

// append writes a line after those that wait. If that fails and keep is set, the line
// waits.
func (l *Log) append(out line, keep bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	out.Time = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings alone
	}
	text = append(text, '\n')
	if err = l.writeWaiting(); err == nil {
		_, err = l.file.Write(text)
	}
	l.note(err)
	if err == nil || !keep {
		return err
	}
	if len(l.waiting) == maxWaiting {
		l.options.Log.Error("a line of the audit log was lost", "line", string(l.waiting[0]))
		l.waiting = l.waiting[1:]
	}
	l.waiting = append(l.waiting, text)
	return err
}

// writeWaiting writes the lines that wait. l.mu is held.
func (l *Log) writeWaiting() error {
	for len(l.waiting) > 0 {
		if _, err := l.file.Write(l.waiting[0]); err != nil {
			return err
		}
		l.waiting = l.waiting[1:]
	}
	l.waiting = nil
	return nil
}

// note logs when the log can no longer be written, and when it can again. l.mu is held.
func (l *Log) note(err error) {
	if err != nil {
		l.failed.Add(1)
	}
	switch {
	case err != nil && !l.broken:
		then := "effects go on; lines wait in memory"
		if l.options.Refuse {
			then = "creates, aborts and decisions are refused"
		}
		l.options.Log.Error("the audit log cannot be written: "+then, "error", err)
	case err == nil && l.broken:
		l.options.Log.Info("the audit log is written again")
	}
	l.broken = err != nil
}
