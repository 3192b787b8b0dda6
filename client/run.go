package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
// Result and times. Runs that were read have those, and no Plan.
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
			readText(&r.RepeatKey, value)
		case "repeatRunId":
			r.RepeatRunID = readRunID(value)
		case "status":
			readText(&r.Status, value)
		case "executionPlanId":
			readText(&r.ExecutionPlanID, value)
		case "intent":
			readText(&r.Intent, value)
		case "context":
			readText(&r.Context, value)
		case "createdAt":
			readText(&r.CreatedAt, value)
		case "updatedAt":
			readText(&r.UpdatedAt, value)
		case "result":
			r.Result = value
		case "plan":
			readObject(&r.Plan, value, (*Plan).decode)
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
		if arrayIn(value) != nil {
			return value
		}
	}
	return nil
}

// arrayIn returns value if it is an array, else nil.
func arrayIn(value []byte) []byte {
	if !bytes.HasPrefix(value, []byte("[")) {
		return nil
	}
	return value
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
	readText(&p.Text, inner)
	for name, value := range rawjson.Members(inner) {
		switch rawjson.Name(name, planNames) {
		case "title":
			readText(&p.Title, value)
		case "description":
			readText(&p.Description, value)
		case "steps":
			if more := readList(&p.Steps, value, maxSteps, (*PlanStep).decode); more > 0 {
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
			readText(&s.ID, value)
		case "description":
			readText(&s.Description, value)
		case "dependsOnSteps":
			readList(&s.DependsOnSteps, value, maxDepends, readText)
		}
	}
}
