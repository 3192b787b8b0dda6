package sandbox

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
)

// plan is what a run is going to do. The identity is that of the first run
// that had it: a repeated run has the same plan.
type plan struct {
	title string
	steps []planStep
}

type planStep struct {
	number      int
	description string
	reason      string
	tool        string
	parameters  map[string]any
}

type planAnswer struct {
	PlanType string `json:"planType"`
	Plan     any    `json:"plan"`
}

type planDocument struct {
	Title       string        `json:"title"`
	Description string        `json:"description"`
	Steps       []planDocStep `json:"steps"`
}

type planDocStep struct {
	ID             string   `json:"id"`
	Description    string   `json:"description"`
	DependsOnSteps []string `json:"dependsOnSteps"`
}

// template is one thing an integration can do; %s is what the run is about.
type template struct{ tool, text, reason, parameter string }

// templates go from looking to acting, so that a short plan does no more than
// look.
func templates(integrationID string) []template {
	switch integrationID {
	case "salesforce":
		return []template{
			{"search_records", "Look up %s in Salesforce", "the run needs the current records", "query"},
			{"get_record", "Read the details of %s in Salesforce", "the list alone does not say enough", "query"},
			{"update_record", "Update the Salesforce record of %s", "the records have to show what was done", "subject"},
		}
	case "slack":
		return []template{
			{"search_messages", "Search Slack for what was said about %s", "earlier messages may already answer it", "query"},
			{"post_message", "Post a summary of %s to Slack", "the people concerned should know", "subject"},
		}
	case "jira":
		return []template{
			{"search_issues", "Find the Jira issues about %s", "an open issue may already cover it", "query"},
			{"create_issue", "Open a Jira issue about %s", "somebody has to follow it up", "subject"},
		}
	default:
		return []template{
			{"list_resources", "List the AWS resources behind %s", "the run needs to know what there is", "query"},
			{"describe_resource", "Read the state of %s in AWS", "the list alone does not say enough", "query"},
		}
	}
}

// newPlan derives a plan from the intent and the integrations, and from
// nothing else, so that the same input gives the same steps. Integrations take
// turns, each going on to its next template.
func newPlan(intent string, chosen []integration, steps int) plan {
	if steps == 0 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(intent))
		steps = max(2+int(h.Sum32()%4), min(len(chosen), 5)) // 2 to 5
	}
	about := topic(intent)
	p := plan{title: sentence(intent)}
	for n := range steps {
		i := chosen[n%len(chosen)]
		ts := templates(i.IntegrationID)
		turn := n / len(chosen)
		t, lap := ts[turn%len(ts)], turn/len(ts)
		parameters := map[string]any{t.parameter: about}
		text := fmt.Sprintf(t.text, about)
		if lap > 0 {
			text += fmt.Sprintf(" (part %d)", lap+1)
			parameters["page"] = lap + 1
		}
		p.steps = append(p.steps, planStep{number: n + 1, description: text, reason: t.reason,
			tool: i.IntegrationID + "." + t.tool, parameters: parameters})
	}
	return p
}

// topic is what an intent is about, short enough for a step's title: its first
// clause without the leading verb, or "the records" where that is no help.
func topic(intent string) string {
	words := strings.Fields(intent)
	if len(words) > 0 && strings.Contains(" find get list show fetch collect check read search summarise summarize send post create update review close ", " "+strings.ToLower(words[0])+" ") {
		words = words[1:]
	} else if len(words) > 1 && strings.EqualFold(words[0]+" "+words[1], "look up") {
		words = words[2:]
	} else {
		return "the records"
	}
	if len(words) > 0 && strings.Contains(" all every each ", " "+strings.ToLower(words[0])+" ") {
		words = words[1:]
	}
	var kept []string
	for _, word := range words {
		bare := strings.TrimRight(word, ".,;:!?")
		if strings.Contains(" and then in from to for on with ", " "+strings.ToLower(bare)+" ") || len(kept) == 6 {
			break
		}
		kept = append(kept, bare)
		if bare != word {
			break
		}
	}
	if len(kept) == 0 {
		return "the records"
	}
	return strings.Join(kept, " ")
}

// sentence is an intent on one line, cut at a length that fits a title.
func sentence(intent string) string {
	words := []rune(strings.Join(strings.Fields(intent), " "))
	if len(words) > 80 {
		return string(words[:79]) + "…"
	}
	return string(words)
}

// answer is the plan as the API shows it.
func (p plan) answer(form string) planAnswer {
	if form == "text" {
		var text strings.Builder
		for _, s := range p.steps {
			fmt.Fprintf(&text, "%d. %s\n", s.number, s.description)
		}
		return planAnswer{"text", text.String()}
	}
	doc := planDocument{Title: p.title, Description: fmt.Sprintf("%d steps; the sandbox does none of them for real", len(p.steps)), Steps: []planDocStep{}}
	for _, s := range p.steps {
		before := []string{}
		if s.number > 1 {
			before = append(before, fmt.Sprint(s.number-1))
		}
		doc.Steps = append(doc.Steps, planDocStep{fmt.Sprint(s.number), s.description, before})
	}
	return planAnswer{"json", doc}
}

// placeholder is what a fresh run answers before its plan is written.
func placeholder() planAnswer {
	return planAnswer{"text", "The execution plan will be available shortly."}
}

func (s *Sandbox) getPlan(w http.ResponseWriter, r *http.Request, owner int) *problem {
	id := r.PathValue("executionPlanId")
	for _, run := range s.owned(owner) {
		if run.planID == id {
			writeJSON(w, http.StatusOK, run.plan.answer(run.behaviour.plan))
			return nil
		}
	}
	return refuse(http.StatusNotFound, "Execution plan not found")
}
