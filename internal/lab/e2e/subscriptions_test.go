package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
)

const ownKey, otherKey = "key-of-the-subscriber-0", "key-of-somebody-else-00"

// notification is a message to a subscriber.
type notification struct {
	Method string `json:"method"`
	Params struct {
		URI           string `json:"uri"`
		Notifications struct {
			ResourceSubscriptions []string `json:"resourceSubscriptions"`
		} `json:"notifications"`
		Meta struct {
			Subscription int    `json:"io.modelcontextprotocol/subscriptionId"`
			Status       string `json:"status"`
			LastEventID  int    `json:"lastEventId"`
		} `json:"_meta"`
	} `json:"params"`
}

// TestSubscriptionsAreLimitedToOwnRuns holds that a caller subscribes to its own runs
// only. Another caller's run is refused like a run that does not exist.
func TestSubscriptionsAreLimitedToOwnRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		subscribe func(t *testing.T, apiURL string, uris []string) (next func() string)
		id        int // of the subscription, in every notification; 0 in the stateful era, which has no acknowledgement either
	}{
		"listen over stdio":             {listenOverStdio, 7},
		"listen over HTTP":              {listenOverHTTP, 7},
		"subscribe over HTTP, stateful": {subscribeOverHTTP, 0},
	} {
		t.Run(name, func(t *testing.T) {
			box := startSandbox(t, ownKey, otherKey)
			api, err := client.New(client.Options{URL: box.URL()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(api.Close)
			own, foreign := createWaitingRun(t, api, ownKey), createWaitingRun(t, api, otherKey)
			ownURI, foreignURI := "run://"+string(own)+"/events", "run://"+string(foreign)
			next := tt.subscribe(t, box.URL(), []string{
				ownURI, foreignURI, foreignURI + "/events",
				"run://123e4567-e89b-12d3-a456-426614174000", "%zz://run", "file:///etc/passwd",
			})
			if tt.id != 0 {
				first := decodeNotification(t, next())
				granted := first.Params.Notifications.ResourceSubscriptions
				if first.Method != "notifications/subscriptions/acknowledged" || !slices.Equal(granted, []string{ownURI}) || first.Params.Meta.Subscription != tt.id {
					t.Fatalf("the first notification is %+v", first)
				}
			}
			// The foreign run changes first: a notification of it would arrive first.
			abortRun(t, api, otherKey, foreign)
			abortRun(t, api, ownKey, own)
			for status := ""; status != "CANCELED"; {
				n := decodeNotification(t, next())
				if n.Method != "notifications/resources/updated" || n.Params.URI != ownURI || n.Params.Meta.Subscription != tt.id {
					t.Fatalf("got %+v", n)
				}
				status = n.Params.Meta.Status
			}
			if n := box.Sandbox().Stats().StreamsOpened; n != 1 {
				t.Errorf("%d upstream streams, want 1: that of the own run", n)
			}
		})
	}
}

func listenOverStdio(t *testing.T, apiURL string, uris []string) (next func() string) {
	in, out := serveStdioWith(t, apiURL, ownKey)
	fmt.Fprintln(in, listenMessage(uris))
	return func() string {
		out.Scan()
		return out.Text()
	}
}

func listenOverHTTP(t *testing.T, apiURL string, uris []string) (next func() string) {
	me := &program.Tenant{URL: program.ServeHTTP(t, io.Discard, nil, "--api-url", apiURL), Key: ownKey}
	return me.Stream(t, listenMessage(uris), map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"})
}

// listenMessage returns a subscriptions/listen message of 2026-07-28 with the id 7.
func listenMessage(uris []string) string {
	text, _ := json.Marshal(uris)
	return `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":` + string(text) +
		`},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
}

// subscribeOverHTTP sends a resources/subscribe for each URI. All but the first must be
// refused.
func subscribeOverHTTP(t *testing.T, apiURL string, uris []string) (next func() string) {
	me := program.NewTenant(t, program.ServeHTTP(t, io.Discard, nil, "--api-url", apiURL), ownKey)
	for i, uri := range uris {
		_, body, _ := me.Send(t, me.Session, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":%q}}`, uri), nil)
		want := `{"jsonrpc":"2.0","id":1,"result":{}}`
		if i > 0 {
			want = fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"resource not found","data":{"uri":%q}}}`, uri)
		}
		if body != want {
			t.Errorf("%s: got %s, want %s", uri, body, want)
		}
	}
	return me.Stream(t, "", nil)
}

func decodeNotification(t *testing.T, message string) (n notification) {
	t.Helper()
	if err := json.Unmarshal([]byte(message), &n); err != nil {
		t.Fatalf("%v: %q", err, message)
	}
	return n
}

// createWaitingRun creates a run that waits for a person.
func createWaitingRun(t *testing.T, api *client.Client, key client.Key) client.RunID {
	t.Helper()
	run, err := api.CreateRun(t.Context(), client.Caller{Key: key}, client.CreateRunRequest{
		Intent: "x", Integrations: []string{"*"}, UserID: "u", Context: "sandbox: step_ms=0", ApprovalStrategy: client.ApproveStart,
	})
	if err != nil {
		t.Fatal(err)
	}
	return run.RunID
}

func abortRun(t *testing.T, api *client.Client, key client.Key, runID client.RunID) {
	t.Helper()
	if err := api.AbortRun(t.Context(), client.Caller{Key: key}, runID); err != nil {
		t.Fatal(err)
	}
}
