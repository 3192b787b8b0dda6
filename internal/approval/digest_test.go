package approval

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// step returns a request to go on with some tool calls, which are given as JSON.
func step(t *testing.T, toolCalls string) Request {
	t.Helper()
	return stepEvent(t, `{"id":1,"event":"step","runStatus":"PAUSED","step":{"approval":"PENDING","toolCalls":%s,"approvalActions":%s}}`, toolCalls, links(1))
}

func stepEvent(t *testing.T, format string, args ...any) Request {
	t.Helper()
	tracker := NewTracker(caller, runID)
	p, ok := tracker.AddEvent(event(t, format, args...))
	if !ok {
		t.Fatal("the event asks for nothing")
	}
	return Request{Pending: p, Run: &client.Run{RunID: runID}, secrets: redact.New()}
}

func start(t *testing.T, plan string) Request {
	t.Helper()
	r := stepEvent(t, `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":%s}`, links(1))
	if plan != "" {
		r.Plan = new(client.Plan)
		if err := json.Unmarshal([]byte(plan), r.Plan); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestDigest: each field of what would happen changes the digest.
func TestDigest(t *testing.T) {
	const one = `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1}}]`
	calls := step(t, one)
	seen := map[string]string{calls.Digest(): "the step itself"}
	other := func(name string, r Request) {
		t.Helper()
		if same, ok := seen[r.Digest()]; ok {
			t.Errorf("%s has the digest of %s", name, same)
		}
		seen[r.Digest()] = name
	}
	for name, toolCalls := range map[string]string{
		"id":               `[{"toolCallId":"2","toolName":"pay","toolParameters":{"to":"x","amount":1}}]`,
		"no id":            `[{"toolName":"pay","toolParameters":{"to":"x","amount":1}}]`,
		"name":             `[{"toolCallId":"1","toolName":"Pay","toolParameters":{"to":"x","amount":1}}]`,
		"value":            `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"y","amount":1}}]`,
		"field's name":     `[{"toolCallId":"1","toolName":"pay","toolParameters":{"To":"x","amount":1}}]`,
		"field more":       `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1,"b":null}}]`,
		"duplicate":        `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1,"to":"x"}}]`,
		"other duplicate":  `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1,"to":"y"}}]`,
		"duplicates swap":  `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"y","amount":1,"to":"x"}}]`,
		"1.0":              `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1.0}}]`,
		"1e0":              `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1e0}}]`,
		"1E0":              `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1E0}}]`,
		"beyond a float":   `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":9007199254740993}}]`,
		"and one less":     `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":9007199254740992}}]`,
		"a string":         `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":"1"}}]`,
		"true":             `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":true}}]`,
		"null":             `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":null}}]`,
		"an array":         `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":[1]}}]`,
		"two items":        `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":[1,2]}}]`,
		"items swap":       `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":[2,1]}}]`,
		"one string":       `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":["1,2"]}}]`,
		"JSON in a string": `[{"toolCallId":"1","toolName":"pay","toolParameters":"{\"to\":\"x\",\"amount\":1}"}]`,
		"invisible":        `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x\u200b","amount":1}}]`,
		"bidi":             `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x\u202e","amount":1}}]`,
		"blank":            `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x ","amount":1}}]`,
		"half a pair":      `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"\ud800","amount":1}}]`,
		"another half":     `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"\ud801","amount":1}}]`,
		"half, quoted":     `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"\"\\ud800\"","amount":1}}]`,
		"no character":     `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"\ufffd","amount":1}}]`,
		"no parameters":    `[{"toolCallId":"1","toolName":"pay"}]`,
		"null parameters":  `[{"toolCallId":"1","toolName":"pay","toolParameters":null}]`,
		"empty parameters": `[{"toolCallId":"1","toolName":"pay","toolParameters":{}}]`,
		"array behind":     `[{"toolCallId":"1","toolName":"pay","toolParameters":[1,[]]}]`,
		"array around":     `[{"toolCallId":"1","toolName":"pay","toolParameters":[[1]]}]`,
		"field a":          `[{"toolCallId":"1","toolName":"pay","toolParameters":{"a":1}}]`,
		"field b":          `[{"toolCallId":"1","toolName":"pay","toolParameters":{"b":1}}]`,
		"object behind":    `[{"toolCallId":"1","toolName":"pay","toolParameters":[1,{}]}]`,
		"twice":            one[:len(one)-1] + "," + one[1:],
		"another behind":   one[:len(one)-1] + `,{"toolCallId":"2","toolName":"log"}]`,
		"another before":   `[{"toolCallId":"2","toolName":"log"},` + one[1:],
		"no call":          `[]`,
		"what is far down": `[{"toolCallId":"1","toolName":"pay","toolParameters":` + strings.Repeat("[", 100) + "1" + strings.Repeat("]", 100) + `}]`,
		"and another":      `[{"toolCallId":"1","toolName":"pay","toolParameters":` + strings.Repeat("[", 100) + "2" + strings.Repeat("]", 100) + `}]`,
		"what is far back": `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"` + strings.Repeat("x", 100_000) + `1"}}]`,
		"and other":        `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"` + strings.Repeat("x", 100_000) + `2"}}]`,
	} {
		other(name, step(t, toolCalls))
	}
	links := calls
	links.tokens = map[Decision]string{Approve: "another", Deny: calls.tokens[Deny]}
	other("approve link", links)
	links.tokens = map[Decision]string{Approve: calls.tokens[Approve], Deny: "another"}
	other("deny link", links)
	links.tokens = map[Decision]string{Approve: calls.tokens[Approve]}
	other("no deny link", links)
	other("scope", start(t, ""))
	for name, plan := range map[string]string{
		"steps":      `{"plan":{"title":"t","steps":[{"id":"1","description":"a"}]}}`,
		"title":      `{"plan":{"title":"u","steps":[{"id":"1","description":"a"}]}}`,
		"more steps": `{"plan":{"title":"t","steps":[{"id":"1","description":"a"},{"id":"2","description":"b"}]}}`,
		"step":       `{"plan":{"title":"t","steps":[{"id":"1","description":"b"}]}}`,
		"step's id":  `{"plan":{"title":"t","steps":[{"id":"2","description":"a"}]}}`,
		"order":      `{"plan":{"title":"t","steps":[{"id":"1","description":"a","dependsOnSteps":["2"]}]}}`,
		"unknown":    `{"plan":{"title":"t","steps":[{"id":"1","description":"a","tool":"pay"}]}}`,
		"text":       `{"plan":"a"}`,
		"other text": `{"plan":"b"}`,
	} {
		other("plan: "+name, start(t, plan))
	}
}

// TestSameDigest: what does not change what would happen does not change the digest.
func TestSameDigest(t *testing.T) {
	first := step(t, `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1,"l":[{"a":"\u00e9/","b":2}]}}]`)
	for name, r := range map[string]Request{
		"order of fields":  step(t, `[{"toolParameters":{"l":[{"b":2,"a":"\u00e9/"}],"amount":1,"to":"x"},"toolName":"pay","toolCallId":"1"}]`),
		"white space":      step(t, `[ {"toolCallId":"1","toolName":"pay","toolParameters":{ "to" : "x",`+"\n"+`"amount":1 ,"l":[ {"a":"\u00e9/","b":2} ]}} ]`),
		"spelling":         step(t, `[{"toolCallId":"\u0031","toolName":"p\u0061y","toolParameters":{"t\u006f":"\u0078","amount":1,"l":[{"a":"é\/","b":2}]}}]`),
		"a result":         step(t, `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1,"l":[{"a":"\u00e9/","b":2}]},"toolResult":{"ok":true}}]`),
		"an unknown field": step(t, `[{"toolCallId":"1","toolName":"pay","took":3,"toolParameters":{"to":"x","amount":1,"l":[{"a":"\u00e9/","b":2}]}}]`),
		"a reason": stepEvent(t, `{"id":2,"event":"step","timestamp":"now","runStatus":"PAUSED","step":{"approval":"PENDING","reason":"so","text":"it is","toolCalls":%s,"approvalActions":%s}}`,
			`[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1,"l":[{"a":"\u00e9/","b":2}]}}]`, links(1)),
	} {
		if r.Digest() != first.Digest() {
			t.Errorf("%s: another digest", name)
		}
	}
	told := first
	told.Run, told.secrets, told.remembered, told.EventID = &client.Run{Intent: "y"}, redact.New("a-secret-of-ours"), &client.Plan{Text: "kept"}, 7
	if told.Digest() != first.Digest() {
		t.Error("the digest depends on what stands around")
	}
	a, b := start(t, `{"executionPlanId":"1","planType":"json","plan":{"title":"t","steps":[{"id":"1","description":"a"}]}}`), start(t, `{"plan":{"steps":[{"description":"a","id":"1"}],"title":"t"},"updatedAt":"now"}`)
	if a.Digest() != b.Digest() {
		t.Error("a plan's digest depends on its address")
	}
	a.remembered = &client.Plan{Text: "kept"}
	if a.Digest() != b.Digest() {
		t.Error("a plan's digest depends on what is remembered")
	}
}

// TestDigestOfHugeValue: the time does not grow with the depth of a value.
func TestDigestOfHugeValue(t *testing.T) {
	const deep = 2000
	value := strings.Repeat(`[{"a":`, deep) + fmt.Sprintf("%q", strings.Repeat("x", 1<<20)) + strings.Repeat("}]", deep)
	r := step(t, `[{"toolName":"pay","toolParameters":`+value+`}]`)
	if r.Digest() == "" || len(r.Question(false)) > 6<<10 {
		t.Error("no digest, or a long question")
	}
}
