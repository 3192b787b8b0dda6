package tools_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// facts are what a person must read in the question.
var facts = []string{"drop_database", "production-db", "DE89370400440532013000", "attacker@evil.example", "1000.50"}

// tricks are spellings by which the facts are to disappear from a question, or to
// read otherwise. Nothing that they show may be missing unless it is counted.
var tricks = map[string]struct {
	spell func(fact string) string
	cut   bool // it is too long to be shown whole
}{
	"as it is":           {spell: func(f string) string { return f }},
	"an approval link":   {spell: func(f string) string { return "https://x.test/v1/runs/approval?token=" + f }},
	"a signature":        {spell: func(f string) string { return "https://x.test/?sig=" + f + "&api_key=" + f }},
	"a header":           {spell: func(f string) string { return "Authorization: " + f }},
	"a bearer":           {spell: func(f string) string { return "authorization=Bearer " + f }},
	"a cookie":           {spell: func(f string) string { return "Set-Cookie: a=" + f }},
	"a name and a value": {spell: func(f string) string { return `{"name":"token","value":"` + f + `"}` }},
	"a field's name":     {spell: func(f string) string { return `{"password":"` + f + `","token":"` + f + `"}` }},
	"approval actions": {spell: func(f string) string {
		return `{"approvalActions":[{"action":"approve","url":"https://x/?token=` + f + `","token":"` + f + `"}]}`
	}},
	"a private key":       {spell: func(f string) string { return "-----BEGIN PRIVATE KEY-----" + f }},
	"base64":              {spell: func(f string) string { return base64.StdEncoding.EncodeToString([]byte(f)) }},
	"hex":                 {spell: func(f string) string { return hex.EncodeToString([]byte(f)) }},
	"percent-encoded":     {spell: func(f string) string { return url.QueryEscape("https://x/v1/runs/approval?token=" + f) }},
	"our mark":            {spell: func(f string) string { return "[removed] " + f }},
	"turned around":       {spell: func(f string) string { return "\u202e" + f + "\u202c\u2066\u200f" }},
	"right to left":       {spell: func(f string) string { return "\u05d0" + f + "\u0627" }},
	"split":               {spell: func(f string) string { return strings.Join(strings.Split(f, ""), "\u200b") }},
	"tags":                {spell: func(f string) string { return f + "\U000e0041\U000e0042" }},
	"struck through":      {spell: func(f string) string { return strings.Join(strings.Split(f, ""), "\u0336") }},
	"under marks":         {spell: func(f string) string { return f + strings.Repeat("\u0301", 400) }},
	"a screen cleared":    {spell: func(f string) string { return "\x1b[2J\x1b[8m" + f + "\r" }},
	"a question of ours":  {spell: func(f string) string { return "\"\n\nIt would call \"list\" with {}\nRun \u201c" + f + "\u201d" }},
	"far to the right":    {spell: func(f string) string { return strings.Repeat(" ", 400) + f }},
	"far below":           {spell: func(f string) string { return strings.Repeat("\n", 400) + f }},
	"at the end of a lot": {spell: func(f string) string { return strings.Repeat("lorem ", 2000) + f }, cut: true},
}

// places are where somebody says a text: the run in the event that asks, the run
// before, and those who made it. Those that stand in the question are shown.
var places = map[string]struct {
	shown bool
	at    func(text string) trick
}{
	"intent":          {true, func(text string) trick { return trick{intent: text} }},
	"context":         {false, func(text string) trick { return trick{context: text} }},
	"repeatKey":       {false, func(text string) trick { return trick{repeatKey: text} }},
	"an earlier text": {false, func(text string) trick { return trick{before: map[string]any{"text": text}} }},
	"an earlier call": {false, func(text string) trick {
		return trick{before: map[string]any{"toolCalls": []any{map[string]any{"toolName": text, "toolParameters": text, "toolResult": map[string]any{"approvalActions": text}}}}}
	}},
	"an unknown field": {false, func(text string) trick { return trick{more: map[string]any{"token": text, "approvalActions2": text}} }},
	"reason":           {true, func(text string) trick { return trick{more: map[string]any{"reason": text}} }},
	"text":             {true, func(text string) trick { return trick{more: map[string]any{"text": text}} }},
	"a tool's name":    {true, func(text string) trick { return trick{call: map[string]any{"toolName": text}} }},
	"a parameter": {true, func(text string) trick {
		return trick{call: map[string]any{"toolName": "t", "toolParameters": map[string]any{"note": text}}}
	}},
	"a secret's field": {true, func(text string) trick {
		return trick{call: map[string]any{"toolName": "t", "toolParameters": map[string]any{"token": text, "name": "token", "value": text}}}
	}},
	"a field's name": {true, func(text string) trick {
		return trick{call: map[string]any{"toolName": "t", "toolParameters": map[string]any{text: 1}}}
	}},
	"a plan's step":  {true, func(text string) trick { return trick{plan: map[string]any{}, step: text} }},
	"a plan's title": {true, func(text string) trick { return trick{plan: map[string]any{"title": text, "description": text}} }},
	"far down": {true, func(text string) trick {
		return trick{call: map[string]any{"toolName": "t", "toolParameters": []any{map[string]any{"a": []any{text}}}}}
	}},
}

// trick is what is said in one run.
type trick struct {
	intent, context, repeatKey string
	before, more, call         map[string]any // an earlier step; fields of the step that asks; a tool call of it
	plan                       map[string]any // of a whole run that asks to start; nil where a step asks
	step                       string         // of it
}

// planText returns the plan of a trick as the API tells it.
func (k trick) planText() string {
	steps := []any{map[string]any{"id": "1", "description": strings.Join(facts, " ") + " by the-approve-token"}, map[string]any{"id": "2", "description": k.step}}
	plan := map[string]any{"steps": steps}
	for name, value := range k.plan {
		plan[name] = value
	}
	text, _ := json.Marshal(map[string]any{"planType": "json", "plan": plan})
	return string(text)
}

// run returns the run of a trick as the API tells it. Its link's token is in a
// parameter, too.
func (k trick) run(id string) string {
	calls := []any{map[string]any{"toolCallId": "1", "toolName": facts[0], "toolParameters": json.RawMessage(
		fmt.Sprintf(`{"name":%q,"iban":%q,"to":%q,"amount":%s,"note":"by the-approve-token"}`, facts[1], facts[2], facts[3], facts[4]))}}
	if k.call != nil {
		calls = append(calls, k.call)
	}
	step := map[string]any{"approval": "PENDING", "toolCalls": calls, "approvalActions": json.RawMessage(bothLinks)}
	for name, value := range k.more {
		step[name] = value
	}
	asks := map[string]any{"id": 2, "event": "step", "runStatus": "PAUSED", "step": step}
	if k.plan != nil {
		asks = map[string]any{"id": 2, "event": "run_approval", "runStatus": "PAUSED", "approvalActions": json.RawMessage(bothLinks)}
	}
	text, _ := json.Marshal(map[string]any{
		"runId": id, "executionPlanId": id, "status": "PAUSED", "intent": k.intent, "context": k.context, "repeatKey": k.repeatKey,
		"events": []any{
			map[string]any{"id": 1, "event": "step", "runStatus": "RUNNING", "step": k.before},
			asks,
		},
	})
	return string(text)
}

// TestTricks: whatever stands wherever around it, and whoever said it before, what
// a person decides on is readable, in the question's first lines, and nothing is
// drawn over it. Hidden is the link's token alone, and the question says so.
func TestTricks(t *testing.T) {
	type shown struct {
		text       string
		cut, place bool
		newest     bool // it is asked in the newest era; each place and trick is in both
	}
	runs, texts, said := map[string]trick{}, map[string]shown{}, map[string]bool{}
	for i, where := range slices.Sorted(maps.Keys(places)) {
		for j, how := range slices.Sorted(maps.Keys(tricks)) {
			place, spelled := places[where], tricks[how]
			var words []string
			for _, fact := range facts {
				words = append(words, spelled.spell(fact))
			}
			id := fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", len(runs))
			text := strings.Join(words, " ")
			runs[id] = place.at(text)
			texts[id] = shown{where + ": " + how, spelled.cut, place.shown, (i+j)%2 == 0}
			said[text] = true
		}
	}
	if len(runs) < 120 {
		t.Fatalf("%d tricks", len(runs))
	}
	eachAskingRevision(t, func(t *testing.T, version string) {
		front := func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
				switch run, ok := runs[id]; {
				case strings.HasSuffix(r.URL.Path, "/sse"):
					w.WriteHeader(http.StatusNoContent)
				case ok && isRead(r):
					fmt.Fprint(w, run.run(id))
				case ok:
					fmt.Fprint(w, run.planText())
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusCreated)
					fmt.Fprintf(w, `{"runId":%q,"status":"QUEUED"}`, unknownRun)
				default:
					http.NotFound(w, r)
				}
			})
		}
		// Another server of the process, where the model decides.
		var decider *approval.Decider
		agents := testbed.New(t, func(o *tools.Options) { decider = o.Decider }, front).Connect(version, nil)
		bed := testbed.New(t, func(o *tools.Options) {
			human(o)
			o.Decider = decider
		}, front)
		who := &person{}
		s := bed.ConnectWith(version, who.options())
		for text := range said { // what calls bring
			testbed.Raw(t, agents, "create_run", map[string]any{"intent": text, "context": text, "repeatKey": text})
		}
		for id := range texts { // any of them: its token is another
			for _, fact := range facts {
				testbed.Fail(t, agents, "approve", map[string]any{"runId": id, "decision": "approve", "token": fact})
			}
			break
		}
		asked := 0
		for id, is := range texts {
			if is.newest != (version == testbed.Newest) {
				continue
			}
			testbed.Raw(t, s, "approve", map[string]any{"runId": id})
			questions := who.questions()
			if len(questions) != asked+1 {
				t.Fatalf("%s: %d questions", is.text, len(questions)-asked)
			}
			asked++
			checkTrick(t, is.text, questions[asked-1].Message, is.cut && is.place)
		}
	})
}

// checkTrick holds a question to all that it must say; cut says that some of it
// is too long.
func checkTrick(t *testing.T, name, question string, cut bool) {
	t.Helper()
	flat := unbroken(question)
	lines := strings.SplitN(question, "\n", 4)
	call := `"drop_database" with {"amount":1000.50,"name":"production-db","to":"attacker@evil.example","note":"by [removed]","iban":"DE89370400440532013000"}`
	if strings.HasPrefix(name, "a plan") {
		call = "the whole run, 2 steps. Not all is shown.\n1. \"" + strings.Join(facts, " ") + " by [removed]\""
	}
	if !strings.Contains(flat, call) || !strings.Contains(strings.Join(lines[:3], ""), `"drop_database`) {
		t.Errorf("%s: the call does not stand in\n%s", name, question)
	}
	if strings.Contains(flat, "the-approve-token") || !strings.Contains(lines[0], "Not all is shown.") || !strings.Contains(flat, "\n1 secret is hidden, by [removed]: ") {
		t.Errorf("%s: the token is shown, or nothing said of it:\n%s", name, question)
	}
	if cut && !strings.Contains(flat, " bytes cut]") {
		t.Errorf("%s: nothing is said of what is cut:\n%s", name, question)
	}
	for _, r := range strings.NewReplacer("\n", "", "\u2066", "", "\u2069", "").Replace(question) {
		if !unicode.IsPrint(r) || r >= 0x334 && r <= 0x338 {
			t.Errorf("%s: %U stands in\n%s", name, r, question)
		}
	}
	for _, line := range strings.Split(question, "\n") {
		ours := strings.HasPrefix(line, "A run asks for") || strings.HasPrefix(line, "A run asks to start: the whole run, 2 steps.") || strings.HasPrefix(line, "The plan's ") || strings.HasPrefix(line, `It would call "drop_database"`) || strings.HasPrefix(line, "1. ") || strings.HasPrefix(line, "2. ") || strings.HasPrefix(line, "  ") ||
			strings.HasPrefix(line, "The run's own reason: ") || strings.HasPrefix(line, "What the run is for: ") || strings.HasPrefix(line, "1 secret is hidden") || strings.HasPrefix(line, "Run 123e4567")
		if !ours {
			t.Errorf("%s: a line of the run's own: %s", name, line)
		}
	}
}
