package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"runs-mcp-server/internal/rawjson"
)

const (
	// maxSteps bounds the steps of a plan that are decoded.
	maxSteps = 10_000
	// maxDepends bounds the dependencies of a step that are decoded.
	maxDepends = 1_000
)

// Status is the state of a run. One that is not listed here is passed through, and
// is not terminal.
type Status string

// The nine statuses of the contract.
const (
	Queued         Status = "QUEUED"
	Running        Status = "RUNNING"
	AuthRequired   Status = "AUTH_REQUIRED"
	Paused         Status = "PAUSED"
	CanceledRun    Status = "CANCELED"
	NoSuccess      Status = "NO_SUCCESS"
	PartialSuccess Status = "PARTIAL_SUCCESS"
	Success        Status = "SUCCESS"
	Failed         Status = "FAILED"
)

// Statuses returns the statuses of the contract, in its order.
func Statuses() []Status {
	return []Status{Queued, Running, AuthRequired, Paused, CanceledRun, NoSuccess, PartialSuccess, Success, Failed}
}

// Terminal reports whether a run in this status has ended.
func (s Status) Terminal() bool {
	return slices.Contains([]Status{CanceledRun, NoSuccess, PartialSuccess, Success, Failed}, s)
}

// ApprovalStrategy says which parts of a run a person must approve.
type ApprovalStrategy string

// The approval strategies of the contract.
const (
	ApproveNothing  ApprovalStrategy = "NONE"
	ApproveStart    ApprovalStrategy = "ON_START"
	ApproveToolCall ApprovalStrategy = "ON_TOOL_CALL"
)

// approvalStrategies returns the strategies from the least to the most strict.
func approvalStrategies() []ApprovalStrategy {
	return []ApprovalStrategy{ApproveNothing, ApproveStart, ApproveToolCall}
}

// AtLeast returns the stricter of s and least.
func (s ApprovalStrategy) AtLeast(least ApprovalStrategy) ApprovalStrategy {
	order := approvalStrategies()
	if slices.Index(order, s) < slices.Index(order, least) {
		return least
	}
	return s
}

// Run is a run as the API returns it. Created runs have Plan, and no Intent, Context,
// Result and times. Runs that were read have those, and no Plan. The API never tells a
// run's user, integrations, approval strategy and output schema.
type Run struct {
	RunID           RunID           `json:"runId"`
	RepeatKey       string          `json:"repeatKey"`
	RepeatRunID     RunID           `json:"repeatRunId"`
	Status          Status          `json:"status"`
	ExecutionPlanID string          `json:"executionPlanId"`
	Intent          string          `json:"intent"`
	Context         string          `json:"context"`
	CreatedAt       string          `json:"createdAt"` // ISO 8601
	UpdatedAt       string          `json:"updatedAt"` // ISO 8601
	Result          json.RawMessage `json:"result"`
	Plan            *Plan           `json:"plan"`
	// Events are the newest events of the run, at most [maxEvents], in order and with
	// their cursors. They are nil if the answer has none.
	Events []Event `json:"-"`
	// Earlier counts the older events of the answer that Events lacks.
	Earlier int `json:"-"`

	// Positions says that the API gave no ids: the cursors of Events are positions.
	Positions bool `json:"-"`

	tokens []string // of the approval links of the earlier events
}

const (
	// maxEvents bounds the events of a run that are decoded, of 150 bytes and more
	// each. An answer with more events has less than 240 bytes for each. It must be
	// less than maxKnown of client/follow, or stored events would be taken for new.
	maxEvents = 70_000
	// maxListedEvents is the same bound for each run of a list.
	maxListedEvents = 10
)

// ApprovalTokens returns the tokens of all events that the answer held.
func (r *Run) ApprovalTokens() []string {
	tokens := slices.Clip(r.tokens)
	if len(tokens) > 0 { // there are very many: growing would copy them several times
		tokens = slices.Grow(tokens, len(r.Events))
	}
	for _, e := range r.Events {
		tokens = append(tokens, e.ApprovalTokens()...)
	}
	return tokens
}

// UnmarshalJSON decodes a run of an answer of the API.
func (r *Run) UnmarshalJSON(data []byte) error {
	return r.decode(slices.Clone(data), maxEvents)
}

// runNames are the fields of a run that are read. Older answers call the events
// stepsFinished.
var runNames = []string{"runId", "repeatKey", "repeatRunId", "status", "executionPlanId", "intent", "context",
	"createdAt", "updatedAt", "result", "plan", "events", "stepsFinished"}

// decode decodes a run from valid JSON, with at most so many of its newest events.
// Result is a part of the text. Fields that are missing or of the wrong type stay
// empty: one odd field must not cost the rest.
func (r *Run) decode(text []byte, most int) error {
	*r = Run{}
	if text = bytes.TrimSpace(text); !bytes.HasPrefix(text, []byte("{")) && !rawjson.IsNull(text) {
		return errors.New("a run that is no object")
	}
	var events, finished []byte
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, runNames) {
		case "runId":
			r.RunID = readRunID(value)
		case "repeatKey":
			rawjson.ReadText(&r.RepeatKey, value)
		case "repeatRunId":
			r.RepeatRunID = readRunID(value)
		case "status":
			rawjson.ReadText(&r.Status, value)
		case "executionPlanId":
			rawjson.ReadText(&r.ExecutionPlanID, value)
		case "intent":
			rawjson.ReadText(&r.Intent, value)
		case "context":
			rawjson.ReadText(&r.Context, value)
		case "createdAt":
			rawjson.ReadText(&r.CreatedAt, value)
		case "updatedAt":
			rawjson.ReadText(&r.UpdatedAt, value)
		case "result":
			r.Result = value
		case "plan":
			rawjson.ReadObject(&r.Plan, value, (*Plan).decode)
		case "events":
			events = value
		case "stepsFinished":
			finished = value
		}
	}
	r.readEvents(firstArray(events, finished), most)
	return nil
}

// firstArray returns the first value that is an array, nil where none is.
func firstArray(values ...[]byte) []byte {
	for _, value := range values {
		if rawjson.IsArray(value) {
			return value
		}
	}
	return nil
}

// readEvents decodes the newest items of a run's events, at most so many.
//
// If all items have integer ids they are sorted by them. If none has, the position
// of an item is its cursor. An item without an id, or with the id of an earlier one,
// gets the next cursor.
func (r *Run) readEvents(items []byte, most int) {
	if items == nil {
		return
	}
	count := rawjson.Count(items)
	r.Events, r.Earlier = make([]Event, 0, min(count, most)), max(count-most, 0)
	skip := skipper{left: r.Earlier}
	if r.Earlier > 0 {
		skip.prepare(items)
	}
	numbered := 0
	for item := range rawjson.Items(items) {
		e, ok := storedEvent(item)
		if ok {
			numbered++
		}
		if skip.skips(e.ID) {
			r.tokens = append(r.tokens, e.ApprovalTokens()...)
			continue
		}
		r.Events = append(r.Events, e)
	}
	if numbered == count {
		slices.SortStableFunc(r.Events, func(a, b Event) int { return cmp.Compare(a.ID, b.ID) })
	}
	last := skip.last
	for i := range r.Events {
		e := &r.Events[i]
		e.ID = max(e.ID, last+1)
		last = e.ID
	}
	if r.Earlier > 0 {
		r.Events[0].Missing = int64(r.Earlier)
	}
	r.Positions = numbered == 0 && count > 0
}

// skipper selects the oldest events of an answer, which are not decoded.
type skipper struct {
	left int   // how many are still to be skipped
	last int64 // the cursor of the newest skipped event
	// Both are 0 if the items are sorted, or one has no id.
	from  int64 // the lowest id that is decoded
	equal int   // how many items with that id are skipped
}

// prepare looks for ids that all items have, but not in order.
func (o *skipper) prepare(items []byte) {
	sorted, before := true, int64(0)
	for item := range rawjson.Items(items) {
		id, ok := storedID(item)
		if !ok {
			return
		}
		sorted, before = sorted && id >= before, id
	}
	if sorted {
		return
	}
	ids := make([]int64, 0, rawjson.Count(items))
	for item := range rawjson.Items(items) {
		id, _ := storedID(item)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	o.from = ids[o.left]
	first, _ := slices.BinarySearch(ids, o.from)
	o.equal = o.left - first
	for _, id := range ids[:o.left] {
		o.last = max(id, o.last+1)
	}
}

// skips reports whether the next item is to be skipped. id is 0 if it has none.
func (o *skipper) skips(id int64) bool {
	switch {
	case o.left == 0 || id > o.from && o.from > 0:
		return false
	case o.from == 0:
		o.last = max(id, o.last+1)
	case id == o.from && o.equal == 0:
		return false
	case id == o.from:
		o.equal--
	}
	o.left--
	return true
}

// Plan is what a run intends to do: text, or steps. Both are empty while the API has
// only a placeholder.
type Plan struct {
	Text        string     // of planType text
	Title       string     // of planType json, as the rest
	Description string     `json:"description"`
	Steps       []PlanStep `json:"steps"`
	Raw         json.RawMessage
}

// PlanStep is one step of a plan.
type PlanStep struct {
	ID             string   `json:"id"`
	Description    string   `json:"description"`
	DependsOnSteps []string `json:"dependsOnSteps"`
}

// UnmarshalJSON decodes a plan of an answer of the API.
func (p *Plan) UnmarshalJSON(data []byte) error {
	p.decode(data)
	return nil
}

// decode decodes a plan of either type, whatever planType says. One of another form
// is Raw alone. Raw is a copy, because plans live longer than the answers that they
// came in.
func (p *Plan) decode(text []byte) {
	*p = Plan{Raw: slices.Clone(text)}
	var inner []byte
	for name, value := range rawjson.Members(p.Raw) {
		if rawjson.Name(name, []string{"plan"}) != "" {
			inner = value
		}
	}
	rawjson.ReadText(&p.Text, inner)
	for name, value := range rawjson.Members(inner) {
		switch rawjson.Name(name, planNames) {
		case "title":
			rawjson.ReadText(&p.Title, value)
		case "description":
			rawjson.ReadText(&p.Description, value)
		case "steps":
			if more := rawjson.ReadList(&p.Steps, value, maxSteps, (*PlanStep).decode); more > 0 {
				p.Steps = append(p.Steps, PlanStep{Description: fmt.Sprintf("[%d later steps are not read]", more)})
			}
		}
	}
}

var planNames = []string{"title", "description", "steps"}

var stepNames = []string{"id", "description", "dependsOnSteps"}

func (s *PlanStep) decode(text []byte) {
	for name, value := range rawjson.Members(text) {
		switch rawjson.Name(name, stepNames) {
		case "id":
			rawjson.ReadText(&s.ID, value)
		case "description":
			rawjson.ReadText(&s.Description, value)
		case "dependsOnSteps":
			rawjson.ReadList(&s.DependsOnSteps, value, maxDepends, rawjson.ReadText)
		}
	}
}

// RunID is the id of a run: a UUID of 36 characters. [ParseRunID] and decoding make
// it lower case. Another text of the API is kept as it is, and is not valid.
type RunID string

// ParseRunID returns a run's id from a text in either letter case. It reports
// whether the text is a UUID of 36 characters; another text is returned as it is.
func ParseRunID(text string) (id RunID, ok bool) {
	if id = RunID(text); !id.Valid() {
		return id, false
	}
	return RunID(strings.ToLower(text)), true
}

// Valid reports whether the id has the form of a run's id.
func (id RunID) Valid() bool { return len(id) == 36 && uuid.Validate(string(id)) == nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It takes any text.
func (id *RunID) UnmarshalText(text []byte) error {
	*id, _ = ParseRunID(string(text))
	return nil
}

// readRunID returns the run's id in a JSON string, "" for another value.
func readRunID(value []byte) RunID {
	var text string
	rawjson.ReadText(&text, value)
	id, _ := ParseRunID(text)
	return id
}
