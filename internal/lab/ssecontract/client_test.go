package ssecontract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"runs-mcp-server/internal/sse"
)

const (
	// maxRecord holds the suite's largest message, two parts of 5 MiB in base64.
	maxRecord = 32 << 20
	// firstRetry is the reconnection time where neither the suite nor the
	// stream says one.
	firstRetry = 100 * time.Millisecond
)

// streamParams are what the suite says of the client it wants.
type streamParams struct {
	StreamURL      string            `json:"streamUrl"`
	CallbackURL    string            `json:"callbackUrl"`
	InitialDelayMS *int              `json:"initialDelayMs"`
	ReadTimeoutMS  int               `json:"readTimeoutMs"` // 0: none
	LastEventID    string            `json:"lastEventId"`
	Headers        map[string]string `json:"headers"`
	Method         string            `json:"method"`
	Body           string            `json:"body"`
}

// eventSource is a client in the manner of the standard's EventSource: it
// connects again until it is told to stop or the server refuses. One goroutine
// runs it, and reports what happens in the order in which it happens.
type eventSource struct {
	streamParams
	lastEventID string
	retry       time.Duration
	reported    int

	mu    sync.Mutex
	types map[string]bool // that are listened for
	again func()          // ends the connection, to begin another
}

func newEventSource(p streamParams) *eventSource {
	s := &eventSource{
		streamParams: p, lastEventID: p.LastEventID, retry: firstRetry,
		types: map[string]bool{"message": true}, again: func() {},
	}
	if p.InitialDelayMS != nil {
		s.retry = time.Duration(*p.InitialDelayMS) * time.Millisecond
	}
	return s
}

// listen makes events of a type be reported.
func (s *eventSource) listen(eventType string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.types[eventType] = true
}

// restart ends the connection, and another one follows.
func (s *eventSource) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again()
}

var (
	errRestart = errors.New("the caller asked for another connection")
	errTimeout = errors.New("no data within the read timeout")
	// errHalt ends the client without a word: a 204, as the standard has it.
	errHalt = errors.New("the server asked to stop")
	// errRefused ends it with a report.
	errRefused = errors.New("no event stream")
)

// run connects until ctx ends or the server refuses.
func (s *eventSource) run(ctx context.Context) {
	for {
		err := s.connect(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, errHalt):
			return
		case errors.Is(err, errRefused):
			s.report(ctx, message{Kind: "error", Error: err.Error()})
			return
		case err != nil && !errors.Is(err, errRestart):
			s.report(ctx, message{Kind: "error", Error: err.Error()})
		}
		select {
		case <-time.After(s.retry):
		case <-ctx.Done():
			return
		}
	}
}

// connect follows one connection; nil means that the server closed it.
func (s *eventSource) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	s.again = func() { cancel(errRestart) }
	s.mu.Unlock()

	req, err := s.request(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	defer resp.Body.Close()
	switch mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); {
	case resp.StatusCode == http.StatusNoContent:
		return errHalt
	case resp.StatusCode != http.StatusOK || mediaType != "text/event-stream":
		return fmt.Errorf("%w: status %d, content type %q", errRefused, resp.StatusCode, mediaType)
	}

	var body io.Reader = resp.Body
	if timeout := time.Duration(s.ReadTimeoutMS) * time.Millisecond; timeout > 0 {
		timer := time.AfterFunc(timeout, func() { cancel(errTimeout) })
		defer timer.Stop()
		body = &timed{body, timer, timeout}
	}
	if err := s.follow(ctx, body); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

func (s *eventSource) request(ctx context.Context) (*http.Request, error) {
	method := s.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, s.StreamURL, strings.NewReader(s.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Cache-Control", "no-cache")
	if s.lastEventID != "" {
		req.Header.Set("Last-Event-ID", s.lastEventID)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// follow reports what the decoder makes of a stream, until its end.
func (s *eventSource) follow(ctx context.Context, body io.Reader) error {
	d := sse.NewDecoder(newCommentReader(body, func(text string) {
		s.report(ctx, message{Kind: "comment", Comment: text})
	}), maxRecord)
	lastEventID := ""
	for {
		frame, err := d.Next()
		// An id outlives its connection, and counts without an event, too.
		if id := d.LastEventID(); frame.HasID || id != lastEventID {
			lastEventID, s.lastEventID = id, id
		}
		if retry, ok := d.Retry(); ok {
			s.retry = retry
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		eventType := frame.Event
		if eventType == "" {
			eventType = "message"
		}
		s.mu.Lock()
		wanted := s.types[eventType]
		s.mu.Unlock()
		if wanted {
			s.report(ctx, message{Kind: "event", Event: &event{eventType, string(frame.Data), s.lastEventID}})
		}
	}
}

// message is what the suite is told.
type message struct {
	Kind    string `json:"kind"`
	Event   *event `json:"event,omitempty"`
	Comment string `json:"comment,omitempty"`
	Error   string `json:"error,omitempty"`
}

type event struct {
	Type string `json:"type"`
	Data string `json:"data"`
	ID   string `json:"id"`
}

// report posts the next message. The suite sees what does not arrive.
func (s *eventSource) report(ctx context.Context, m message) {
	s.reported++
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings alone
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, fmt.Sprintf("%s/%d", s.CallbackURL, s.reported), bytes.NewReader(body))
	if err != nil {
		return
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
}

// timed puts its timer off whenever bytes come.
type timed struct {
	r     io.Reader
	timer *time.Timer
	after time.Duration
}

func (t *timed) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n > 0 {
		t.timer.Reset(t.after)
	}
	return n, err
}
