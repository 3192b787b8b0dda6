package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// description says what the server is for, in at most 100 bytes.
const description = "Start, watch, steer and stop runs of the toolregistry.ai Run API, with a person in charge."

// serverCard is what a client may read before it connects: a draft of SEP-2127, as of
// July 2026. It lists no tools.
type serverCard struct {
	Schema      string       `json:"$schema"`
	Name        string       `json:"name"`
	Version     string       `json:"version"`
	Title       string       `json:"title"`
	Description string       `json:"description"`
	Remotes     []cardRemote `json:"remotes"`
}

// cardRemote is where a server is reached.
type cardRemote struct {
	Type              string       `json:"type"`
	URL               string       `json:"url"`
	Headers           []cardHeader `json:"headers"`
	SupportedVersions []string     `json:"supportedProtocolVersions"`
}

// cardHeader is a header that a client asks its person for.
type cardHeader struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Required    bool   `json:"isRequired"`
	Secret      bool   `json:"isSecret"`
}

// Card returns the server card of this server at a public URL. name and version are those
// of MCP. Who it is and which revisions it speaks is what it tells its clients.
func (s *Server) Card(ctx context.Context, name, version string, public *url.URL) ([]byte, error) {
	const discover = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"` + mcp.MetaKeyProtocolVersion + `":"` + mcp.LATEST_PROTOCOL_VERSION + `","` + mcp.MetaKeyClientCapabilities + `":{}}}}`
	answer, err := json.Marshal(s.MCP(name, version).HandleMessage(ctx, json.RawMessage(discover)))
	if err != nil {
		return nil, err
	}
	var told struct {
		Result struct {
			SupportedVersions []string `json:"supportedVersions"`
			Meta              struct {
				ServerInfo mcp.Implementation `json:"io.modelcontextprotocol/serverInfo"`
			} `json:"_meta"`
		} `json:"result"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return nil, err
	}
	info := told.Result.Meta.ServerInfo
	if info.Name == "" || len(told.Result.SupportedVersions) == 0 {
		return nil, fmt.Errorf("the server does not tell who it is: %s", answer)
	}
	return json.Marshal(serverCard{
		Schema: "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",
		Name:   reversed(public.Hostname()) + "/" + info.Name, Version: info.Version, Title: info.Title, Description: description,
		Remotes: []cardRemote{{
			Type: "streamable-http", URL: public.String(), SupportedVersions: told.Result.SupportedVersions,
			Headers: []cardHeader{{"x-api-key", "toolregistry.ai API key", true, true}},
		}},
	})
}

// reversed returns a host as the namespace of a name: its labels from the last one on. An
// address stays as it is, but for colons.
func reversed(host string) string {
	if net.ParseIP(host) != nil {
		return strings.ReplaceAll(host, ":", "-")
	}
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}
