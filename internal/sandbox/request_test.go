package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/sandbox"
)

func TestCreateValidation(t *testing.T) {
	aws := object{"accessKeyId": "hush", "secretAccessKey": "hush", "sessionToken": "hush"}
	pass := func(entries ...any) object { return object{"passThrough": entries} }
	const sf = "salesforce_abcd1234"
	tests := []struct {
		name string
		more object
		want string // a part of the message; empty means created
	}{
		{"good", object{}, ""},
		{"empty context", object{"context": ""}, ""},
		{"all integrations", object{"selectedCustomerIntegrationIds": []string{"*"}}, ""},
		{"unknown field", object{"colour": "red"}, ""},
		{"intent is a number", object{"intent": 1}, "intent must be a string"},
		{"intent is null", object{"intent": nil}, "intent must be a string"},
		{"empty intent", object{"intent": ""}, "intent should not be empty"},
		{"context is an object", object{"context": object{}}, "context must be a string"},
		{"user is a list", object{"userId": []int{}}, "userId must be a string"},
		{"no such strategy", object{"approvalStrategy": "ALWAYS"}, "approvalStrategy must be one of"},
		{"strategy is null", object{"approvalStrategy": nil}, "approvalStrategy must be a string"},
		{"ids are a string", object{"selectedCustomerIntegrationIds": "*"}, "must be an array"},
		{"an id is a number", object{"selectedCustomerIntegrationIds": []int{1}}, "each value in selectedCustomerIntegrationIds must be a string"},
		{"no ids", object{"selectedCustomerIntegrationIds": []string{}}, "should not be empty"},
		{"unknown id", object{"selectedCustomerIntegrationIds": []string{"x"}}, "known ids, which are salesforce_abcd1234"},
		{"star and others", object{"selectedCustomerIntegrationIds": []string{"*", sf}}, "known ids"},
		{"inactive id", object{"selectedCustomerIntegrationIds": []string{"hubspot_efgh5678"}}, "is not active"},
		{"unknown repeat key", object{"repeatKey": "x"}, "repeatKey is not known"},
		{"unknown option", object{"context": "please. sandbox: speed=9"}, `unknown option "speed"; known are outcome, steps`},
		{"bad option", object{"context": "sandbox: steps=0"}, "steps=0 is not valid; it takes 1 to 10000"},
		{"option twice", object{"context": "sandbox: steps=1\nsandbox: steps=2"}, "given twice"},

		{"credentials", pass(object{"customerIntegrationId": sf, "values": aws, "headers": object{"a": "hush"}, "query": object{}}), ""},
		{"okta", pass(object{"customerIntegrationId": sf, "values": object{"clientId": "c", "kid": "k", "privateKey": "p", "oauthTokenUrl": "u", "scope": "s", "host": "h"}}), ""},
		{"credentials in two entries", pass(object{"customerIntegrationId": sf, "values": aws}, object{"customerIntegrationId": sf, "values": aws}), "only one credential type"},
		{"two types", pass(object{"customerIntegrationId": sf, "values": object{"accessKeyId": "hush", "roleArn": "hush"}}), "must be exactly one of"},
		{"no type", pass(object{"customerIntegrationId": sf, "values": object{"password": "hush"}}), "must be exactly one of"},
		{"half a type", pass(object{"customerIntegrationId": sf, "values": object{"roleArn": "hush"}}), "passThrough.0.values.externalId must be a string"},
		{"a number", pass(object{"customerIntegrationId": sf, "values": object{"roleArn": "hush", "externalId": 7}}), "externalId must be a string"},
		{"no integration", pass(object{"headers": object{}}), "customerIntegrationId must be a string"},
		{"foreign integration", pass(object{"customerIntegrationId": "hush"}), "must be one of the selected"},
		{"headers are a list", pass(object{"customerIntegrationId": sf, "headers": []string{"hush"}}), "headers must be an object"},
		{"no list", object{"passThrough": object{}}, "passThrough must be an array"},
		{"no object", pass("hush"), "passThrough.0 must be an object"},
	}
	f := start(t, sandbox.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := with(body(""), tt.more)
			if tt.want == "" {
				f.create(asked)
				return
			}
			status, answer := f.call(f.free, "POST", "/v1/runs", asked)
			said, _ := json.Marshal(answer)
			var clear struct{ Message []string }
			if err := json.Unmarshal(said, &clear); err != nil || status != http.StatusBadRequest {
				t.Fatalf("%d %s: want a 400 with a list", status, said)
			}
			if !strings.Contains(strings.Join(clear.Message, "\n"), tt.want) {
				t.Errorf("%q, want %q", clear.Message, tt.want)
			}
			if strings.Contains(string(said), "hush") {
				t.Errorf("a pass-through value is repeated: %s", said)
			}
		})
	}
	for name := range body("") {
		asked := body("")
		delete(asked, name)
		if status, answer := f.call(f.free, "POST", "/v1/runs", asked); status != 400 || !strings.Contains(fmt.Sprint(answer), name) {
			t.Errorf("without %s: %d %v", name, status, answer)
		}
	}
}

func TestErrors(t *testing.T) {
	f := start(t, sandbox.Options{Keys: []string{"mine", "yours"}})
	f.key = "mine"
	id := f.createID(body("queue_ms=60000"))
	const none = "/v1/runs/0b5c1f0e-6a52-4f5c-9d3e-0a4e6f6f2f11"
	tests := []struct {
		key, method, path string
		body              any
		want              int
	}{
		{"", "GET", "/v1/runs", nil, 401},
		{"sandbox-key", "GET", "/v1/runs", nil, 401},
		{"", "GET", "/v1/runs/" + id + "/sse", nil, 401},
		{"", "GET", "/nowhere", nil, 401},
		{"yours", "GET", "/v1/runs/" + id, nil, 404},
		{"yours", "DELETE", "/v1/runs/" + id, nil, 404},
		{"yours", "GET", "/v1/runs/" + id + "/sse", nil, 404},
		{"mine", "GET", none, nil, 404},
		{"mine", "DELETE", none, nil, 404},
		{"mine", "GET", none + "/sse", nil, 404},
		{"mine", "GET", "/v1/runs/seven", nil, 404},
		{"mine", "GET", "/v1/execution-plans/" + id, nil, 404},
		{"mine", "GET", "/v1/runs/approval", nil, 400},
		{"mine", "GET", "/v1/runs/approval?token=x", nil, 400},
		{"mine", "GET", "/v1/integrations?active=perhaps", nil, 400},
		{"mine", "GET", "/v2/runs", nil, 404},
		{"mine", "PUT", "/v1/runs", nil, 405},
		{"mine", "POST", "/v1/runs/" + id, nil, 405},
		{"mine", "DELETE", "/v1/runs/approval", nil, 405},
		{"mine", "POST", "/v1/runs/approval?token=x", nil, 405},
		{"mine", "POST", "/v1/runs", "{", 400},
		{"mine", "POST", "/v1/runs", "null", 400},
		{"mine", "POST", "/v1/runs", "[]", 400},
		{"mine", "POST", "/v1/runs", strings.Repeat(" ", 1<<20) + "{}", 413},
	}
	for _, tt := range tests {
		f.key = tt.key
		status, answer := f.call(f.free, tt.method, tt.path, tt.body)
		told, _ := answer.(object)
		if status != tt.want || told["statusCode"] != float64(tt.want) || told["message"] == nil || told["error"] != http.StatusText(tt.want) {
			t.Errorf("%s %s: %d %v, want %d", tt.method, tt.path, status, answer, tt.want)
		}
	}
	if response := f.open(f.free, "HEAD", "/v1/runs/approval?token=x", nil, ""); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD of an approval: %s", response.Status)
	}
}

func TestList(t *testing.T) {
	f := start(t, sandbox.Options{Keys: []string{sandbox.DefaultKey, "other"}})
	first := f.createID(with(body("queue_ms=60000"), object{"userId": "anna"}))
	second := f.createID(with(body("queue_ms=60000"), object{"selectedCustomerIntegrationIds": []string{"jira_mnop3456"}}))
	third := f.createID(body("queue_ms=60000"))
	f.call(f.checked, "DELETE", "/v1/runs/"+third, nil)
	f.key = "other"
	f.createID(body(""))
	f.key = sandbox.DefaultKey

	tests := []struct {
		query string
		want  []string
	}{
		{"", []string{third, second, first}},
		{"?status=CANCELED", []string{third}},
		{"?userId=anna", []string{first}},
		{"?userId=nobody", nil},
		{"?customerIntegrationIds=jira_mnop3456", []string{second}},
		{"?customerIntegrationIds=jira_mnop3456&customerIntegrationIds=slack_ijkl9012", []string{third, second, first}},
		{"?pageSize=2", []string{third, second}},
		{"?pageSize=2&page=2", []string{first}},
		{"?pageSize=2&page=3", nil},
	}
	for _, tt := range tests {
		status, answer := f.call(f.checked, "GET", "/v1/runs"+tt.query, nil)
		var got []string
		for _, run := range answer.([]any) {
			got = append(got, run.(object)["runId"].(string))
			if n := len(run.(object)["events"].([]any)); n != 0 {
				t.Errorf("%s: %d events nobody asked for", tt.query, n)
			}
		}
		if status != 200 || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d %v, want %v", tt.query, status, got, tt.want)
		}
	}
	_, answer := f.call(f.checked, "GET", "/v1/runs?includeEvents=true&status=CANCELED", nil)
	if n := len(answer.([]any)[0].(object)["events"].([]any)); n != 2 {
		t.Errorf("%d events, want status and end", n)
	}
	for _, query := range []string{"page=0", "page=1001", "page=x", "pageSize=0", "pageSize=101", "status=DONE", "status=", "includeEvents=yes"} {
		if status, _ := f.call(f.free, "GET", "/v1/runs?"+query, nil); status != 400 {
			t.Errorf("%s: %d", query, status)
		}
	}

	f.createID(body("list=wrapped"))
	_, answer = f.call(f.free, "GET", "/v1/runs?pageSize=3", nil)
	if got := answer.(object)["pagination"].(object); got["total"] != 4.0 || got["totalPages"] != 2.0 || len(answer.(object)["runs"].([]any)) != 3 {
		t.Errorf("wrapped: %v", got)
	}
	f.key = "other"
	f.call(f.checked, "GET", "/v1/runs", nil) // the other key's list is an array still
}

func TestPlans(t *testing.T) {
	f := start(t, sandbox.Options{})
	for form, types := range map[string][2]string{"json": {"json", "json"}, "text": {"text", "text"}, "placeholder": {"text", "json"}} {
		created := f.create(body("plan=" + form))
		_, later := f.call(f.checked, "GET", "/v1/execution-plans/"+created["executionPlanId"].(string), nil)
		if a, b := created["plan"].(object)["planType"], later.(object)["planType"]; a != types[0] || b != types[1] {
			t.Errorf("%s: created with %v, later %v", form, a, b)
		}
	}
	_, active := f.call(f.checked, "GET", "/v1/integrations?active=true", nil)
	_, all := f.call(f.checked, "GET", "/v1/integrations", nil)
	if len(active.([]any)) != 4 || len(all.([]any)) != 5 {
		t.Errorf("%v, %v", active, all)
	}
}

func TestRepeat(t *testing.T) {
	f := start(t, sandbox.Options{})
	created := f.create(body("steps=2"))
	f.all(created["runId"].(string))
	key := created["repeatKey"].(string)

	again := f.create(with(body("steps=7"), object{"repeatKey": key}))
	if again["repeatRunId"] != created["runId"] || again["repeatKey"] != key || again["executionPlanId"] != created["executionPlanId"] {
		t.Errorf("repeated as %v", again)
	}
	if steps := again["plan"].(object)["plan"].(object)["steps"].([]any); len(steps) != 2 {
		t.Errorf("%d steps, want the first run's", len(steps))
	}
	if got := f.read(again["runId"].(string)); got["repeatRunId"] != created["runId"] {
		t.Errorf("read as %v", got)
	}
	if status, _ := f.call(f.free, "POST", "/v1/runs", with(body(""), object{"repeatKey": key, "intent": "another"})); status != 400 {
		t.Errorf("another intent: %d", status)
	}
	running := f.create(body("queue_ms=60000"))
	if status, _ := f.call(f.free, "POST", "/v1/runs", with(body(""), object{"repeatKey": running["repeatKey"]})); status != 400 {
		t.Errorf("a run that is not over: %d", status)
	}
}

func TestListenRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "192.0.2.1:80", "[::]:0", "example.com:80", "127.0.0.1"} {
		if server, err := sandbox.Listen(t.Context(), addr, sandbox.Options{}); err == nil {
			t.Errorf("%s: accepted", addr)
			_ = server.Close()
		}
	}
	server, err := sandbox.Listen(t.Context(), "localhost:0", sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}
