package client

import (
	"encoding/json"
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
