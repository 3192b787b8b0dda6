package main

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// What people ask for, and the tools of other servers: the names and the first words
// of their descriptions, as published.
var (
	//go:embed testdata/requests.json
	requestsFile []byte
	//go:embed testdata/others.json
	othersFile []byte
)

// described is a tool as a word search reads it.
type described struct{ Name, Description string }

// request is what somebody asks for, and our tool for it.
type request struct{ Request, Tool string }

// requests are those of requests.json. Our tool texts were written with Ours and
// Others known, and Unseen unknown.
type requests struct {
	Ours, Unseen []request
	Others       []string
}

// shownHits is the number of tools that Codex shows its model per search.
const shownHits = 8

// ownTools returns the tools of our server.
func ownTools(t *testing.T, approvals tools.Approvals) (own []described) {
	t.Helper()
	s := testbed.New(t, func(o *tools.Options) {
		o.Approvals, o.AskApprovals, o.AskAuthorization = approvals, true, true
	}, nil).Connect(testbed.Newest, nil)
	list, err := s.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != len(tools.Names()) {
		t.Fatalf("%d tools, %v", len(list.Tools), err)
	}
	for _, tool := range list.Tools {
		own = append(own, described{tool.Name, tool.Description})
	}
	return own
}

// toolIndex returns an index of our tools and those of ten other servers. Their names
// start with the server's.
func toolIndex(t *testing.T, own []described) *index {
	t.Helper()
	var others []struct {
		Server, Source string
		Tools          []described
	}
	if err := json.Unmarshal(othersFile, &others); err != nil || len(others) != 10 {
		t.Fatalf("%d servers, %v", len(others), err)
	}
	x := newIndex()
	for _, tool := range own {
		x.addDocument(tool.Name, tool.Name+" "+tool.Description)
	}
	for _, s := range others {
		if !strings.HasPrefix(s.Source, "https://github.com/") || len(s.Tools) < 5 {
			t.Errorf("%s: %d tools from %q", s.Server, len(s.Tools), s.Source)
		}
		for _, tool := range s.Tools {
			x.addDocument(s.Server+"/"+tool.Name, tool.Name+" "+tool.Description)
		}
	}
	return x
}

// TestFoundByWords searches for each request. The known requests must find their tool
// first, ours or another's; nearly all unseen ones must show ours.
func TestFoundByWords(t *testing.T) {
	var asked requests
	if err := json.Unmarshal(requestsFile, &asked); err != nil || len(asked.Ours) < 30 || len(asked.Unseen) < 20 || len(asked.Others) < 30 {
		t.Fatalf("%+v, %v", asked, err)
	}
	for _, approvals := range []tools.Approvals{tools.ApprovalsHuman, tools.ApprovalsAgent} {
		own := ownTools(t, approvals)
		x := toolIndex(t, own)
		for _, r := range asked.Ours {
			if hits := x.search(r.Request); hits[0].name != r.Tool || hits[1].score == hits[0].score {
				t.Errorf("%s: %q: want %s first, got %v", approvals, r.Request, r.Tool, hits[:4])
			}
		}
		for _, r := range asked.Others {
			hits := x.search(r)
			if slices.ContainsFunc(own, func(tool described) bool { return tool.Name == hits[0].name }) || hits[0].score == 0 {
				t.Errorf("%s: %q: got %v", approvals, r, hits[:3])
			}
		}
		var missed []string
		for _, r := range asked.Unseen {
			if !slices.ContainsFunc(x.search(r.Request)[:shownHits], func(h hit) bool { return h.name == r.Tool }) {
				missed = append(missed, r.Request)
			}
		}
		t.Logf("%s: %d of %d unseen requests show the right tool; not: %q", approvals, len(asked.Unseen)-len(missed), len(asked.Unseen), missed)
		if 10*len(missed) > len(asked.Unseen) {
			t.Errorf("%s: missed %q", approvals, missed)
		}
	}
}
