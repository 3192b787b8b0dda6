package sandbox

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// plan is what a run is going to do. A repeated run shares the plan of the first.
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

// callID returns the id of the step's tool call.
func (s planStep) callID() string { return fmt.Sprintf("call_%d", s.number) }

type planResponse struct {
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

// template is one thing that an integration can do. In text, %s is the topic of the
// run.
type template struct{ tool, text, reason, parameter string }

// templates returns what an integration can do. Reading comes before writing, so a
// short plan only reads.
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

// newPlan returns a plan of that many steps, or of 2 to 5 if steps is 0. It is
// deterministic. Integrations take turns, each with its next template.
func newPlan(intent string, selected []integration, steps int) plan {
	if steps == 0 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(intent))
		steps = max(2+int(h.Sum32()%4), min(len(selected), 5))
	}
	topic := planTopic(intent)
	p := plan{title: planTitle(intent)}
	for n := range steps {
		i := selected[n%len(selected)]
		ts := templates(i.IntegrationID)
		turn := n / len(selected)
		t, lap := ts[turn%len(ts)], turn/len(ts)
		parameters := map[string]any{t.parameter: topic}
		text := fmt.Sprintf(t.text, topic)
		if lap > 0 {
			text += fmt.Sprintf(" (part %d)", lap+1)
			parameters["page"] = lap + 1
		}
		p.steps = append(p.steps, planStep{number: n + 1, description: text, reason: t.reason,
			tool: i.IntegrationID + "." + t.tool, parameters: parameters})
	}
	return p
}

// planTopic returns what an intent is about, for the titles of steps: its first
// clause without the leading verb, at most 6 words. For an intent that does not
// start with a known verb it returns "the records".
func planTopic(intent string) string {
	const unknown = "the records"
	words := strings.Fields(intent)
	switch {
	case len(words) > 0 && isWord(words[0], "find get list show fetch collect check read search summarise summarize send post create update review close"):
		words = words[1:]
	case len(words) > 1 && isWord(words[0], "look") && isWord(words[1], "up"):
		words = words[2:]
	default:
		return unknown
	}
	if len(words) > 0 && isWord(words[0], "all every each") {
		words = words[1:]
	}
	var topic []string
	for _, word := range words[:min(len(words), 6)] {
		bare := strings.TrimRight(word, ".,;:!?")
		if isWord(bare, "and then in from to for on with") {
			break
		}
		topic = append(topic, bare)
		if bare != word { // the end of the clause
			break
		}
	}
	if len(topic) == 0 {
		return unknown
	}
	return strings.Join(topic, " ")
}

// isWord reports whether a word is in a list, in any case.
func isWord(word, list string) bool {
	return slices.Contains(strings.Fields(list), strings.ToLower(word))
}

// planTitle returns an intent on one line, at most 80 characters.
func planTitle(intent string) string {
	words := []rune(strings.Join(strings.Fields(intent), " "))
	if len(words) > 80 {
		return string(words[:79]) + "…"
	}
	return string(words)
}

// response returns the plan as the API answers it. The form is an option's "plan".
func (p plan) response(form string) planResponse {
	if form == "text" {
		var text strings.Builder
		for _, s := range p.steps {
			fmt.Fprintf(&text, "%d. %s\n", s.number, s.description)
		}
		return planResponse{"text", text.String()}
	}
	doc := planDocument{
		Title:       p.title,
		Description: fmt.Sprintf("%d steps; the sandbox does none of them for real", len(p.steps)),
		Steps:       []planDocStep{},
	}
	for _, s := range p.steps {
		before := []string{}
		if s.number > 1 {
			before = append(before, fmt.Sprint(s.number-1))
		}
		doc.Steps = append(doc.Steps, planDocStep{fmt.Sprint(s.number), s.description, before})
	}
	return planResponse{"json", doc}
}
