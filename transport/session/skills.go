package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/capability"
)

// Skills are texts that the model of a client reads when they fit what it is to do. The
// extension io.modelcontextprotocol/skills (2026-07-28) has them; mcp-go does not know it.
// Clients that do not declare it are answered as if there were none.
type Skills struct {
	// ServerInfo is how the server identifies itself in results.
	ServerInfo mcp.Implementation
	// List returns the skills that a server offers the caller of a context. A skill's
	// text stays the same as long as the server and the caller do.
	List func(ctx context.Context, srv *server.MCPServer) []Skill
}

// Skill is an Agent Skill of one file. Text is its SKILL.md, whose front matter has the
// name and the description.
type Skill struct{ Name, Description, Text string }

const (
	skillScheme     = "skill://"
	methodSkillList = "skills/list"
	methodSkillGet  = "skills/get"
	// skillTTL is how long a client may keep a skill.
	skillTTL = 5 * time.Minute
)

func (s Skill) uri() string { return skillScheme + s.Name + "/SKILL.md" }

// skillEntry is a skill in the answers to skills/list and skills/get.
type skillEntry struct {
	URI         string            `json:"uri"`
	FrontMatter map[string]string `json:"frontmatter"`
	Resources   []skillFile       `json:"resources"`
}

// skillFile is a file of a skill.
type skillFile struct {
	URI    string `json:"uri"`
	Digest string `json:"digest"`
	Size   int    `json:"size"` // bytes
}

func (s Skill) entry() skillEntry {
	return skillEntry{
		URI: s.uri(), FrontMatter: map[string]string{"name": s.Name, "description": s.Description},
		Resources: []skillFile{{s.uri(), fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s.Text))), len(s.Text)}},
	}
}

// answerSkillRequest answers a request about skills. nil: mcp-go is to answer it, as it
// answers clients without the extension.
func (c *call) answerSkillRequest(ctx context.Context) mcp.JSONRPCMessage {
	var params struct {
		Meta *mcp.Meta `json:"_meta"`
		URI  string    `json:"uri"`
	}
	if json.Unmarshal(orEmpty(c.message.Params), &params) != nil || !declaresSkills(params.Meta.ClientCapabilities()) {
		return nil
	}
	skills := c.connection.config.Skills.List(ctx, c.server)
	i := slices.IndexFunc(skills, func(s Skill) bool { return s.uri() == params.URI })
	result := map[string]any{"ttlMs": skillTTL.Milliseconds(), "cacheScope": mcp.CacheScopePrivate}
	switch {
	case c.message.Method == methodSkillList:
		entries := make([]skillEntry, len(skills))
		for i, s := range skills {
			entries[i] = s.entry()
		}
		result["skills"] = entries
	case c.message.Method == methodSkillGet && i < 0:
		return errorResponse(mcp.INVALID_PARAMS, "there is no such skill: skills/list names those that there are", map[string]any{"uri": params.URI})
	case i < 0:
		return nil // another method, or a resource that does not exist
	case c.message.Method == methodSkillGet:
		result["skill"] = skills[i].entry()
	case c.message.Method == string(mcp.MethodResourcesRead):
		result["contents"] = []mcp.TextResourceContents{{URI: params.URI, MIMEType: "text/markdown", Text: skills[i].Text}}
	default:
		return nil
	}
	meta := &mcp.Meta{}
	meta.SetServerInfo(c.connection.config.Skills.ServerInfo)
	return objectResponse(result, mcp.ResultTypeComplete, meta)
}

// declaresSkills reports whether a client declares the extension.
func declaresSkills(declared *mcp.ClientCapabilities) bool {
	if declared == nil {
		return false
	}
	_, ok := declared.Extensions[capability.SkillsExtension]
	return ok
}

// advertiseSkills adds the extension to what server/discover answers a client that
// declares it.
func advertiseSkills(ctx context.Context, _ any, _ *mcp.DiscoverRequest, result *mcp.DiscoverResult) {
	c, info := sessionOf(ctx), server.RequestProtocolInfoFromContext(ctx)
	if c == nil || c.connection.config.Skills == nil || info == nil || !declaresSkills(info.ClientCapabilities) {
		return
	}
	extensions := maps.Clone(result.Capabilities.Extensions)
	if extensions == nil {
		extensions = map[string]any{}
	}
	extensions[capability.SkillsExtension] = struct{}{}
	result.Capabilities.Extensions = extensions
}
