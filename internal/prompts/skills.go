package prompts

import (
	"context"
	"fmt"
	"strings"

	"runs-mcp-server/client"
)

// Skill is a prompt without arguments that a model reads by itself when it fits: the
// SKILL.md of an Agent Skill, with its name and description.
type Skill struct{ Name, Description, Text string }

// Skills returns the prompts that the options allow as skills. Their texts say what the
// caller of the context has to be asked.
func Skills(ctx context.Context, o Options) (skills []Skill) {
	h := &handlers{o}
	for _, p := range h.offered() {
		s := Skill{Name: strings.ReplaceAll(p.name, "_", "-"), Description: p.description + " " + p.when}
		s.Text = fmt.Sprintf("---\nname: %s\ndescription: %q\n---\n\n# %s\n\n%s\n", s.Name, s.Description, p.title, p.buildText(h.newRequest(p, client.CallerFrom(ctx), nil)))
		skills = append(skills, s)
	}
	return skills
}
