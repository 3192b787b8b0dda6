package client

import (
	"encoding/json"
	"errors"
	"slices"
)

// decodeRun reads a run that an operation must answer: one without an id is none.
func decodeRun(data []byte, run *Run) error {
	if err := json.Unmarshal(data, run); err != nil {
		return err
	}
	if run.RunID == "" {
		return errors.New("a run without runId")
	}
	return nil
}

// Status is the state of a run. The API may say one that is not listed here;
// it is passed through, and is not terminal.
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

// ApprovalStrategy says what of a run a person must approve.
type ApprovalStrategy string

// The approval strategies of the contract.
const (
	ApproveNothing  ApprovalStrategy = "NONE"
	ApproveStart    ApprovalStrategy = "ON_START"
	ApproveToolCall ApprovalStrategy = "ON_TOOL_CALL"
)

// ApprovalStrategies returns the strategies from the least to the most strict.
func ApprovalStrategies() []ApprovalStrategy {
	return []ApprovalStrategy{ApproveNothing, ApproveStart, ApproveToolCall}
}

// AtLeast returns the stricter of s and least.
func (s ApprovalStrategy) AtLeast(least ApprovalStrategy) ApprovalStrategy {
	order := ApprovalStrategies()
	if slices.Index(order, s) < slices.Index(order, least) {
		return least
	}
	return s
}

// Run is a run as the API tells it. Created runs carry Plan and lack Intent,
// Context, Result and the times; read runs carry those and lack Plan.
type Run struct {
	RunID           string          `json:"runId"`
	RepeatKey       string          `json:"repeatKey"`
	RepeatRunID     string          `json:"repeatRunId"`
	Status          Status          `json:"status"`
	ExecutionPlanID string          `json:"executionPlanId"`
	Intent          string          `json:"intent"`
	Context         string          `json:"context"`
	CreatedAt       string          `json:"createdAt"` // ISO 8601
	UpdatedAt       string          `json:"updatedAt"` // ISO 8601
	Result          json.RawMessage `json:"result"`
	Plan            *Plan           `json:"plan"`
	// Events are the run's events in order, with their cursors; nil when the
	// answer held none.
	Events []Event `json:"-"`

	// Positions says that the cursors of Events are positions: the API gave no ids.
	Positions bool `json:"-"`
}

// runFields is Run without its methods, so that decoding it does not recurse.
type runFields Run

// UnmarshalJSON reads a run. Fields that are missing or of the wrong type stay
// empty: one odd field must not cost the rest.
func (r *Run) UnmarshalJSON(data []byte) error {
	var fields struct {
		runFields
		Events        []json.RawMessage `json:"events"`
		StepsFinished []json.RawMessage `json:"stepsFinished"` // older answers
	}
	if err := decodeLenient(data, &fields); err != nil {
		return err
	}
	*r = Run(fields.runFields)
	items := fields.Events
	if items == nil {
		items = fields.StepsFinished
	}
	r.Events, r.Positions = storedEvents(items)
	return nil
}

// Plan is what a run intends to do: text, or steps. Both are empty while the
// API has only a placeholder.
type Plan struct {
	Text        string     // planType text
	Title       string     // planType json, as the rest
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

// UnmarshalJSON reads a plan in either of its types, whatever planType says;
// one of another form is Raw alone.
func (p *Plan) UnmarshalJSON(data []byte) error {
	*p = Plan{Raw: slices.Clone(data)}
	var outer struct {
		Plan json.RawMessage `json:"plan"`
	}
	_ = decodeLenient(data, &outer)
	if json.Unmarshal(outer.Plan, &p.Text) == nil {
		return nil
	}
	var inner struct {
		Title       string     `json:"title"`
		Description string     `json:"description"`
		Steps       []PlanStep `json:"steps"`
	}
	_ = decodeLenient(outer.Plan, &inner)
	p.Title, p.Description, p.Steps = inner.Title, inner.Description, inner.Steps
	return nil
}
