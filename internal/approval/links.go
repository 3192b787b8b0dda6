package approval

import (
	"slices"
	"strings"

	"runs-mcp-server/client"
)

// eventLinks are the tokens that the links of one event have had, by decision. A
// decision with several is never sent: nobody can tell which one is right.
type eventLinks map[Decision][]string

// maxLinks bounds the tokens of one event for one decision. An event with as many
// cannot be trusted: it has no token for either decision.
const maxLinks = 8

// linksOf returns the tokens of an event's links, from the two places where the API
// puts them.
func linksOf(e client.Event) eventLinks {
	links := eventLinks{}
	actions := e.ApprovalActions
	if e.Step != nil {
		actions = slices.Concat(actions, e.Step.ApprovalActions)
	}
	for _, link := range actions {
		d := Decision(strings.ToLower(link.Action))
		if token := link.Token(); token != "" && (d == Approve || d == Deny) {
			links.addToken(d, token)
		}
	}
	return links
}

func (l eventLinks) addToken(d Decision, token string) {
	if len(l[d]) < maxLinks && !slices.Contains(l[d], token) {
		l[d] = append(l[d], token)
	}
}

// with returns the links of both.
func (l eventLinks) with(more eventLinks) eventLinks {
	both := eventLinks{}
	for _, links := range []eventLinks{l, more} {
		for d, tokens := range links {
			for _, token := range tokens {
				both.addToken(d, token)
			}
		}
	}
	return both
}

// tokens returns the token of each decision that has exactly one. A token that both
// decisions have counts for neither: nobody can tell which one it sends.
func (l eventLinks) tokens() map[Decision]string {
	tokens := map[Decision]string{}
	for d, all := range l {
		if len(all) == maxLinks || slices.ContainsFunc(all, func(token string) bool { return slices.Contains(l[d.other()], token) }) {
			return nil
		}
		if len(all) == 1 {
			tokens[d] = all[0]
		}
	}
	return tokens
}
