package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/client/follow"
)

// meaning says what a status means for list, get, create, abort, approve and
// the events of a run, of which the stored ones are answered in the same way.
type meaning struct {
	status                                   int
	list, get, create, abort, approve, event client.Kind
	why                                      string
}

// byBody means that the body of the answer decides, see wantOfBody.
const byBody client.Kind = "by the body"

// meanings is the table of all statuses. In it, never means that a reader of
// events goes on until its context ends.
func meanings() []meaning {
	const (
		fine    client.Kind = ""
		key                 = client.Unauthorized
		none                = client.NotFound
		bad                 = client.InvalidArgument
		clash               = client.Conflict
		slower              = client.RateLimited
		away                = client.Unavailable
		wrong               = client.Misconfigured
		unknown             = client.OutcomeUnknown
		never               = client.Timeout
	)
	return []meaning{
		{200, byBody, byBody, byBody, fine, fine, byBody, "abort and approve are answered by the status alone"},
		{201, byBody, byBody, byBody, fine, fine, byBody, "any 2xx is a yes"},
		{202, byBody, byBody, byBody, fine, fine, byBody, "any 2xx is a yes"},
		{204, byBody, byBody, byBody, fine, fine, byBody, "a yes that cannot hold what was asked for"},
		{301, wrong, wrong, wrong, wrong, wrong, wrong, "the contract knows no redirects; followed, one would carry the key elsewhere"},
		{302, wrong, wrong, unknown, unknown, unknown, wrong, "the same; to many a server it means done, look there"},
		{303, wrong, wrong, unknown, unknown, unknown, wrong, "the same"},
		{307, wrong, wrong, wrong, wrong, wrong, wrong, "the same"},
		{308, wrong, wrong, wrong, wrong, wrong, wrong, "the same"},
		{400, bad, bad, bad, bad, bad, never, "refused before it had an effect; a stream is tried again, for its request is right"},
		{401, key, key, key, key, key, key, "the key is wrong; trying on would not change it"},
		{403, key, none, key, none, key, none, "on a run it reads as not found, so that nobody learns which ids exist"},
		{404, bad, none, bad, none, none, none, "there is none under this key; a list and a create name none but in their arguments"},
		{408, away, away, unknown, unknown, unknown, never, "a proxy gave up waiting, maybe for the API's answer"},
		{409, clash, clash, clash, clash, clash, never, "refused in the run's state"},
		{410, none, none, none, none, none, none, "there is none any more"},
		{413, bad, bad, bad, bad, bad, never, "refused before it had an effect"},
		{422, bad, bad, bad, bad, bad, never, "refused before it had an effect"},
		{425, away, away, unknown, unknown, unknown, never, "nobody says that the first copy was dropped"},
		{429, slower, slower, slower, slower, slower, never, "not processed"},
		{500, away, away, unknown, unknown, unknown, never, "it may have failed after the effect"},
		{502, away, away, unknown, unknown, unknown, never, "a gateway does not know what the API did"},
		{503, away, away, unknown, unknown, unknown, never, "the contract does not say that nothing was done"},
		{504, away, away, unknown, unknown, unknown, never, "a gateway does not know what the API did"},
		{520, away, away, unknown, unknown, unknown, never, "of no standard; what it means nobody knows"},
	}
}

// wantOfBody says what a 2xx means where its body decides. A created run whose
// answer cannot be read exists all the same; a stream is connected again.
func wantOfBody(op, body string, status int, ok bool) client.Kind {
	hasBody := status != http.StatusNoContent
	cut := hasBody && (body == "cut off" || body == "announced endless")
	switch {
	case ok && hasBody:
		return ""
	case cut && (op == "get" || op == "list"):
		return client.Unavailable // a whole answer may come yet
	case body == "html" && hasBody && op != "create" && (op != "event" || status != 200):
		return client.Misconfigured // a web page and no stream: the address serves no API
	case op == "create":
		return client.OutcomeUnknown
	case op == "event":
		return client.Timeout
	default:
		return client.Invalid
	}
}

// foreign reports whether an answer shows that the API did not give it: then the
// address may serve none, for the API has never answered.
func foreign(status int, op, body string) bool {
	switch status {
	case 403, 404, 410:
		says := body == "wrong types" || body == "right" && strings.Contains(rightBody(op, status), `"message"`)
		return !says
	}
	return false
}

// sixOperations are the operations, each by its column, with what it asks for. Events
// ends with the error of its context, so a time bounds it.
var sixOperations = []struct {
	name, request string
	call          func(context.Context, *client.Client) error
}{
	{"list", "GET /v1/runs", func(ctx context.Context, c *client.Client) error {
		page, err := c.ListRuns(ctx, caller, client.ListRunsQuery{})
		return wrongUnless(err, err != nil || len(page.Runs) == 1 && page.Runs[0].RunID == testRun)
	}},
	{"get", "GET /v1/runs/" + testRun, func(ctx context.Context, c *client.Client) error {
		run, err := c.GetRun(ctx, caller, testRun, true)
		return wrongUnless(err, err != nil || run.RunID == testRun && len(run.Events) == 2)
	}},
	{"create", "POST /v1/runs", func(ctx context.Context, c *client.Client) error {
		run, err := c.CreateRun(ctx, caller, client.CreateRunRequest{Intent: "x", Context: secretContext})
		return wrongUnless(err, err != nil || run.RunID == testRun)
	}},
	{"abort", "DELETE /v1/runs/" + testRun, func(ctx context.Context, c *client.Client) error {
		return c.AbortRun(ctx, caller, testRun)
	}},
	{"approve", "GET /v1/runs/approval", func(ctx context.Context, c *client.Client) error {
		return c.Approve(ctx, caller, secretToken)
	}},
	{"event", "GET /v1/runs/" + testRun + "/sse", followTwo},
}

// followTwo reads the two events of the run, each once.
func followTwo(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var ids []int64
	for e, err := range follow.Events(ctx, c, caller, testRun, 0) {
		if err != nil {
			return err
		}
		ids = append(ids, e.ID)
	}
	return wrongUnless(nil, slices.Equal(ids, []int64{1, 2}))
}

var errOtherContents = errors.New("a success with other contents than were sent")

func wrongUnless(err error, ok bool) error {
	if !ok {
		return errOtherContents
	}
	return err
}

// TestStatuses answers each operation with each status and each body.
func TestStatuses(t *testing.T) {
	for _, s := range meanings() {
		for i, want := range []client.Kind{s.list, s.get, s.create, s.abort, s.approve, s.event} {
			op := sixOperations[i]
			for _, b := range bodies {
				if b.name == "bomb" && s.status != 200 && s.status != 500 {
					continue // two are enough of what takes long to inflate
				}
				want := want
				switch {
				case want == byBody:
					want = wantOfBody(op.name, b.name, s.status, b.ok)
				case foreign(s.status, op.name, b.name):
					want = client.Misconfigured
				}
				bubble(t, fmt.Sprintf("%s %d %s", op.name, s.status, b.name), func(t *testing.T) {
					w := &wire{answer: func(r *http.Request) string { return answerOf(op.name, s.status, b.raw, r) }}
					c := w.client(t)
					before := allocated()
					err := op.call(t.Context(), c)
					if client.KindOf(err) != want || errors.Is(err, errOtherContents) {
						t.Errorf("got %v; want kind %q: %s", err, want, s.why)
					}
					if grown := allocated() - before; grown > bombSize/2 && b.name == "bomb" && op.name != "event" {
						t.Errorf("%d MiB were allocated", grown>>20)
					}
					checkText(t, err)
					checkArrivals(t, w, op.name, op.request, s.status)
				})
			}
		}
	}
}

// bubble runs a test in a time of its own.
func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// allocated is how many bytes the process has ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// checkText holds an error's text to be short, and to show nothing that was sent
// but the API's own message, without what is secret in it.
func checkText(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v", err, err)
	for _, secret := range []string{unshown, string(caller.Key), secretContext, secretToken, "thief", "xxxx", "<html"} {
		if strings.Contains(text, secret) {
			t.Errorf("the error shows %q: %.300s", secret, text)
		}
	}
	if len(err.Error()) > 64<<10 { // of the body that is read; who shows it cuts it
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// checkArrivals holds what arrived: nothing where a redirect points; an effect
// once, but what a 429 did not process may come again; and no storm of reads.
func checkArrivals(t *testing.T, w *wire, op, request string, status int) {
	t.Helper()
	arrived, stranger := w.seen()
	if stranger != "" {
		t.Errorf("%s was dialled", stranger)
	}
	for _, r := range arrived {
		if r != request && (op != "event" || r != "GET /v1/runs/"+testRun) {
			t.Errorf("%s arrived", r)
		}
	}
	most := 3
	switch {
	case op == "event":
		most = 60 // three in a second
	case op == "approve", op == "create" && status != http.StatusTooManyRequests:
		most = 1
	}
	if len(arrived) == 0 || len(arrived) > most {
		t.Errorf("%d requests arrived, want 1 to %d", len(arrived), most)
	}
}

// TestStatusesOfTheStream answers the stream alone with each status and each
// body: then the stored events tell all, each once, and the end.
func TestStatusesOfTheStream(t *testing.T) {
	const head = `{"runId":"` + testRun + `","status":"%s","events":[{"id":1,"event":"start","runStatus":"RUNNING"}%s]}`
	for _, s := range meanings() {
		for _, b := range bodies {
			bubble(t, fmt.Sprintf("%d %s", s.status, b.name), func(t *testing.T) {
				var reads atomic.Int64
				w := &wire{answer: func(r *http.Request) string {
					switch {
					case strings.HasSuffix(r.URL.Path, "/sse"):
						return answerOf("event", s.status, b.raw, r)
					case reads.Add(1) < 3:
						return answerOf("get", 200, func(string) string { return sized(-1, fmt.Sprintf(head, "RUNNING", "")) }, r)
					default:
						return answerOf("get", 200, func(string) string {
							return sized(-1, fmt.Sprintf(head, "SUCCESS", `,{"id":2,"event":"end","runStatus":"SUCCESS"}`))
						}, r)
					}
				}}
				if err := followTwo(t.Context(), w.client(t)); err != nil {
					t.Error(err)
				}
				if arrived, _ := w.seen(); len(arrived) > 20 {
					t.Errorf("%d requests arrived", len(arrived))
				}
			})
		}
	}
}
