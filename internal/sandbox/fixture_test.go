package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runs-mcp-server/internal/lab/contracttest"
	"runs-mcp-server/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// object is a JSON object as a client without types sees it.
type object = map[string]any

// fixture is a listening sandbox and a client that is checked against the
// contract; free is one that is not.
type fixture struct {
	*testing.T
	server        *sandbox.Server
	checked, free *http.Client
	key           string
}

func start(t *testing.T, o sandbox.Options) *fixture {
	t.Helper()
	server, err := sandbox.Listen(t.Context(), "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		base.CloseIdleConnections()
	})
	return &fixture{T: t, server: server, key: sandbox.DefaultKey,
		checked: &http.Client{Transport: contracttest.Transport(t, base)}, free: &http.Client{Transport: base}}
}

// call sends a request and returns status and decoded body.
func (f *fixture) call(client *http.Client, method, path string, body any) (int, any) {
	f.Helper()
	response := f.open(client, method, path, body, "")
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	var value any
	if len(data) > 0 {
		if err := json.Unmarshal(data, &value); err != nil {
			f.Fatalf("%s %s: %v: %s", method, path, err, data)
		}
	}
	return response.StatusCode, value
}

func (f *fixture) open(client *http.Client, method, path string, body any, lastEventID string) *http.Response {
	f.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // only a broken test gets there
	f.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, f.server.URL()+path, reader)
	if err != nil {
		f.Fatal(err)
	}
	if f.key != "" {
		request.Header.Set("x-api-key", f.key)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := client.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	return response
}

// body is a good create body whose context is a sandbox line.
func body(line string) object {
	return object{"intent": "Find overdue invoices in Salesforce and tell Slack", "context": "sandbox: step_ms=0 " + line,
		"userId": "u-1", "selectedCustomerIntegrationIds": []string{"salesforce_abcd1234", "slack_ijkl9012"}}
}

func with(o object, more object) object {
	for k, v := range more {
		o[k] = v
	}
	return o
}

func (f *fixture) create(body object) object {
	f.Helper()
	status, answer := f.call(f.checked, "POST", "/v1/runs", body)
	if status != http.StatusCreated {
		f.Fatalf("create: %d %v", status, answer)
	}
	return answer.(object)
}

func (f *fixture) createID(body object) string {
	f.Helper()
	return f.create(body)["runId"].(string)
}

func (f *fixture) read(runID string) object {
	f.Helper()
	status, answer := f.call(f.free, "GET", "/v1/runs/"+runID+"?includeEvents=true", nil)
	if status != http.StatusOK {
		f.Fatalf("read: %d %v", status, answer)
	}
	return answer.(object)
}

// frame is one event of a stream, its absent id told apart from an empty one.
type frame struct {
	id, event string
	data      object
}

// frames reads a stream as it comes.
type frames struct {
	*fixture
	body    io.Closer
	scanner *bufio.Scanner
}

func (f *fixture) stream(runID, lastEventID string) *frames {
	f.Helper()
	response := f.open(f.checked, "GET", "/v1/runs/"+runID+"/sse?includeToolCalls=true", nil, lastEventID)
	if response.StatusCode != http.StatusOK {
		f.Fatalf("stream: %s", response.Status)
	}
	return newFrames(f, response.Body)
}

func newFrames(f *fixture, body io.ReadCloser) *frames {
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, 1<<24)
	f.Cleanup(func() { _ = body.Close() })
	return &frames{f, body, scanner}
}

// next returns the next event, or false when the stream is over; broken tells
// whether it was cut.
func (s *frames) next() (fr frame, ok, broken bool) {
	s.Helper()
	for s.scanner.Scan() {
		name, value, _ := strings.Cut(s.scanner.Text(), ": ")
		switch name {
		case "id":
			fr.id = value
		case "event":
			fr.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &fr.data); err != nil {
				s.Fatal(err)
			}
		case "":
			return fr, true, false
		}
	}
	return frame{}, false, errors.Is(s.scanner.Err(), io.ErrUnexpectedEOF)
}

func (s *frames) until(event string) frame {
	s.Helper()
	for {
		fr, ok, _ := s.next()
		if !ok {
			s.Fatalf("the stream is over before %s: %v", event, s.scanner.Err())
		}
		if fr.event == event {
			return fr
		}
	}
}

func (s *frames) rest() (all []frame, broken bool) {
	s.Helper()
	for {
		fr, ok, broken := s.next()
		if !ok {
			return all, broken
		}
		all = append(all, fr)
	}
}

// all reads a whole stream from the start.
func (f *fixture) all(runID string) []frame {
	f.Helper()
	all, _ := f.stream(runID, "").rest()
	return all
}

// tell shows events as "name STATUS", a step with its approval.
func tell(all []frame) string {
	var told []string
	for _, fr := range all {
		line := fr.event + " " + fr.data["runStatus"].(string)
		if step, ok := fr.data["step"].(object); ok {
			line += " " + step["approval"].(string)
		}
		if auth, ok := fr.data["auth"].(object); ok {
			line += " " + auth["status"].(string)
		}
		if action, ok := fr.data["action"].(string); ok {
			line += " " + action
		}
		told = append(told, line)
	}
	return strings.Join(told, "; ")
}

// link returns the token of an event's approve or deny link.
func link(t testing.TB, data object, action string) string {
	t.Helper()
	actions, ok := data["approvalActions"].([]any)
	if step, isStep := data["step"].(object); isStep {
		actions, ok = step["approvalActions"].([]any)
	}
	if !ok {
		t.Fatalf("no links in %v", data)
	}
	for _, a := range actions {
		if a := a.(object); a["action"] == action {
			u, err := url.Parse(a["url"].(string))
			if err != nil {
				t.Fatal(err)
			}
			return u.Query().Get("token")
		}
	}
	t.Fatalf("no link to %s in %v", action, data)
	return ""
}

func (f *fixture) decide(token string) int {
	f.Helper()
	status, _ := f.call(f.checked, "GET", "/v1/runs/approval?token="+url.QueryEscape(token), nil)
	return status
}
