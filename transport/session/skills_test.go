package session

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/fixture"
)

// testSkills are two skills.
func testSkills() *Skills {
	return &Skills{ServerInfo: mcp.Implementation{Name: "fake", Version: "1"}, List: func(context.Context, *server.MCPServer) []Skill {
		return []Skill{{"first", "One.", "---\nname: first\n---\n"}, {"second", "Two.", "second"}}
	}}
}

// answerWith returns what a server with or without skills answers a message.
func answerWith(t *testing.T, skills *Skills, message string) string {
	t.Helper()
	d, out := testDispatcher(fixture.New(Hooks()), time.Second), recorder{}
	d.Connection = NewConnection(Config{Skills: skills})
	d.Dispatch(t.Context(), []byte(message), &out)
	d.Calls.Wait()
	if len(out.answers) != 1 {
		t.Fatalf("%s: %d answers", message, len(out.answers))
	}
	return out.answers[0]
}

// declaringSkills returns a stateless request of a client that has skills.
func declaringSkills(method, params string) string {
	return strings.Replace(fixture.Stateless("1", method, params), `clientCapabilities":{}`, `clientCapabilities":{"extensions":{"io.modelcontextprotocol/skills":{}}}`, 1)
}

// TestSkillRequests holds what requests about skills are answered with.
func TestSkillRequests(t *testing.T) {
	const itself = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}},"cacheScope":"private"`
	for _, tt := range []struct{ message, want string }{
		{declaringSkills("skills/list", ""), `"result":{` + itself + `,"resultType":"complete","skills":[{"uri":"skill://first/SKILL.md"`},
		{declaringSkills("skills/list", ""), `"digest":"sha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4","size":6}]}],"ttlMs":300000}`},
		{declaringSkills("skills/get", `"uri":"skill://first/SKILL.md"`), `"skill":{"uri":"skill://first/SKILL.md","frontmatter":{"description":"One.","name":"first"},"resources":[{"uri":"skill://first/SKILL.md","digest":"sha256:`},
		{declaringSkills("skills/get", `"uri":"skill://third/SKILL.md"`), `"error":{"code":-32602,"message":"there is no such skill: skills/list names those that there are"`},
		{declaringSkills("skills/get", ""), `"error":{"code":-32602,`},
		{declaringSkills("skills/other", ""), `"error":{"code":-32601,`},
		{declaringSkills("resources/read", `"uri":"skill://second/SKILL.md"`), `"contents":[{"uri":"skill://second/SKILL.md","mimeType":"text/markdown","text":"second"}]`},
		{declaringSkills("server/discover", ""), `"extensions":{"io.modelcontextprotocol/skills":{}}`},
	} {
		if got := answerWith(t, testSkills(), tt.message); !strings.Contains(got, tt.want) {
			t.Errorf("%s\ngot  %s\nwant %s", tt.message, got, tt.want)
		}
	}
}

// TestSkillsAreInvisible holds that clients that do not declare skills are answered byte
// for byte as by a server without them, and so are declaring ones who ask for other things.
func TestSkillsAreInvisible(t *testing.T) {
	legacy := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
	}
	for _, message := range []string{
		fixture.Stateless("1", "server/discover", ""), fixture.Stateless("1", "skills/list", ""), fixture.Stateless("1", "skills/get", `"uri":"skill://first/SKILL.md"`),
		fixture.Stateless("1", "resources/read", `"uri":"skill://first/SKILL.md"`), fixture.Stateless("1", "resources/list", ""),
		withoutCapabilities("skills/list", ""), declaring("skills/list", ""),
		legacy("skills/list", ""), legacy("resources/read", `"uri":"skill://first/SKILL.md"`),
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"extensions":{"io.modelcontextprotocol/skills":{}}},"clientInfo":{"name":"x","version":"1"}}}`,
		declaringSkills("resources/list", ""), declaringSkills("resources/read", `"uri":"skill://third/SKILL.md"`), declaringSkills("tools/list", ""),
	} {
		with, without := answerWith(t, testSkills(), message), answerWith(t, nil, message)
		if with != without {
			t.Errorf("%s\nwith    %s\nwithout %s", message, with, without)
		}
	}
}
