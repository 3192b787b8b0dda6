package repo

import (
	"slices"
	"strings"
	"testing"
)

const (
	module = "runs-mcp-server/"
	mcpgo  = "github.com/mark3labs/mcp-go/"
)

// edges lists the packages of this module that each package may import, and why no
// others. A room inside a package, such as transport/session, has a row of its own. Levels
// among the files of one package: see TestCallsGoDown.
var edges = map[string]struct {
	may []string
	why string
}{
	"client":                    {[]string{"internal/bounded", "internal/loopback", "internal/rawjson", "internal/sse"}, "the client knows nothing of MCP or of who calls it"},
	"client/follow":             {[]string{"client"}, "it follows one run, whoever asks and whatever for"},
	"internal/sse":              {nil, "bytes to frames, whatever they mean"},
	"internal/rawjson":          {nil, "JSON text, whatever it means"},
	"internal/redact":           {nil, "strings without secrets, whatever they are about"},
	"internal/capability":       {nil, "what a client can do, whoever wants to know"},
	"internal/loopback":         {nil, "whether a host is this machine"},
	"internal/runview":          {nil, "a page, whatever shows it"},
	"internal/view":             {[]string{"client", "internal/loopback", "internal/rawjson", "internal/redact"}, "it renders the API's values and decides nothing"},
	"internal/bounded":          {nil, "a map"},
	"internal/approval":         {[]string{"client", "internal/audit", "internal/bounded", "internal/rawjson", "internal/redact", "internal/view"}, "it asks a person in words that the view made safe"},
	"internal/feed":             {[]string{"client", "client/follow", "internal/approval", "internal/redact"}, "it shares events, knows their tokens and shows nothing itself"},
	"internal/attend":           {[]string{"client", "internal/approval", "internal/audit", "internal/bounded", "internal/feed", "internal/redact"}, "it asks people and speaks no protocol"},
	"internal/sandbox":          {nil, "a stand-in that shares the client's types would share its mistakes"},
	"internal/lab/inmem":        {nil, "a carrier for tests"},
	"internal/lab/otlp":         {nil, "a collector, whatever it is sent"},
	"internal/lab/fixture":      {nil, "a server and the messages of its clients, for the tests of the transports"},
	"internal/audit":            {[]string{"client", "internal/appendfile", "internal/redact"}, "lines about effects, whoever has them"},
	"internal/appendfile":       {nil, "a log file, whatever is logged"},
	"internal/logqueue":         {nil, "bytes to a writer, whatever they mean"},
	"internal/memory":           {nil, "numbers, whoever is limited by them"},
	"internal/cli":              {[]string{"client", "internal/appendfile", "internal/approval", "internal/attend", "internal/audit", "internal/clients", "internal/doctor", "internal/feed", "internal/logqueue", "internal/loopback", "internal/memory", "internal/redact", "internal/sandbox", "internal/server", "internal/setting", "internal/telemetry", "internal/view", "tools", "transport"}, "flags and commands; it alone turns what the operator set into options"},
	"internal/telemetry":        {[]string{"client", "internal/loopback", "internal/prompts", "internal/server", "tools", "transport"}, "traces and metrics; no other room knows OpenTelemetry"},
	"internal/toolschema":       {nil, "schemas and arguments of tools, whatever the tools do"},
	"internal/task":             {[]string{"client"}, "tables from runs to tasks, whoever asks"},
	"tools":                     {[]string{"client", "internal/approval", "internal/audit", "internal/attend", "internal/capability", "internal/feed", "internal/redact", "internal/runview", "internal/task", "internal/toolschema", "internal/view"}, "tools know nothing of how clients reach them"},
	"resources":                 {[]string{"client", "internal/approval", "internal/capability", "internal/feed", "internal/redact", "internal/runview", "internal/view"}, "resources know nothing of HTTP"},
	"internal/prompts":          {[]string{"client", "internal/view", "resources", "tools"}, "prompts say how to use the tools and resources there are, and do nothing themselves"},
	"transport":                 {[]string{"transport/session", "transport/stdio", "transport/streamable"}, "the transport knows nothing of runs; what it needs is handed in"},
	"transport/stdio":           {[]string{"transport/jsonrpc", "transport/session"}, "one client over pipes"},
	"transport/streamable":      {[]string{"internal/loopback", "transport/jsonrpc", "transport/session"}, "clients over HTTP"},
	"transport/session":         {[]string{"internal/rawjson", "internal/capability", "transport/jsonrpc"}, "a client and its messages, whatever carries them"},
	"transport/jsonrpc":         {[]string{"internal/rawjson"}, "bytes to messages and back, whoever sends them"},
	"internal/server":           {[]string{"client", "internal/approval", "internal/attend", "internal/feed", "internal/prompts", "internal/redact", "internal/sandbox", "internal/setting", "resources", "tools", "transport"}, "it builds an MCP server out of the rooms"},
	"internal/clients":          {[]string{"internal/setting"}, "configuration files of MCP clients, whoever reads them"},
	"internal/doctor":           {[]string{"client", "internal/audit", "internal/clients", "internal/loopback"}, "it checks from outside what the other rooms need, and is handed what they would use"},
	"internal/setting":          {nil, "texts that a person configured"},
	"internal/lab/race":         {nil, "measurements of memory ask it"},
	"internal/lab/hostile":      {nil, "it attacks the server from outside"},
	"internal/lab/testbed":      {[]string{"client", "internal/approval", "internal/attend", "internal/server", "internal/feed", "internal/lab/inmem", "internal/redact", "internal/sandbox", "internal/lab/contracttest", "internal/view", "tools", "transport"}, "the whole server, for tests"},
	"internal/lab/soak":         {[]string{"client", "internal/attend", "internal/server", "internal/feed", "internal/lab/hostile", "internal/lab/race", "internal/redact", "internal/sandbox", "internal/view", "tools", "transport"}, "the whole server under a long load; never in the product"},
	"internal/lab/bench":        {[]string{"internal/sandbox"}, "it measures the program from outside, as a process beside others"},
	"internal/lab/evals":        {nil, "it asks a model about the server from outside, as a client does"},
	"internal/lab/diagnostic":   {[]string{"transport"}, "the fixtures of the conformance suite; never in the product"},
	"":                          {[]string{"internal/cli"}, "main hands over the arguments, the environment and the standard streams"},
	"internal/lab/program":      {[]string{"internal/cli"}, "the whole program, for tests"},
	"packaging":                 {nil, "it packs the built program, in a module of its own"},
	"internal/lab/contracttest": {[]string{"internal/sandbox"}, "tests alone"},
}

// TestEdges holds that each package imports only what edges allows, and that mcp-go is
// imported only by the packages that speak MCP.
func TestEdges(t *testing.T) {
	seen := map[string]bool{}
	visitSources(t, func(path, dir string, imports []string) {
		rule, ok := edges[dir]
		if !ok && strings.HasPrefix(dir, "internal/lab/diagnostic/") {
			rule, ok = edges["internal/lab/diagnostic"], true
			rule.may = append(slices.Clone(rule.may), "internal/lab/diagnostic")
		}
		if !ok {
			t.Errorf("%s: edges has no row for this package; add one with what it may import", path)
			return
		}
		seen[dir] = true
		for _, imported := range imports {
			if ours, isOurs := strings.CutPrefix(imported, module); isOurs && !slices.Contains(rule.may, ours) {
				t.Errorf("%s imports %s: %s", path, ours, rule.why)
			}
			if strings.HasPrefix(imported, mcpgo) && slices.Contains([]string{"client", "client/follow", "internal/sse", "internal/redact", "internal/view", "internal/approval", "internal/attend", "internal/feed", "internal/sandbox", "internal/task", "internal/toolschema", "internal/clients", "internal/doctor"}, dir) {
				t.Errorf("%s imports mcp-go: only tools, resources, prompts, transport, internal/capability, internal/server and the demo speak MCP", path)
			}
		}
	})
	for dir := range edges {
		if !seen[dir] && dir != "internal/lab/diagnostic" {
			t.Errorf("edges has a row for %q, but there is no such package", dir)
		}
	}
}

// TestOpenTelemetryHasOneRoom holds that only internal/telemetry, and a collector for
// tests, import OpenTelemetry and Prometheus.
func TestOpenTelemetryHasOneRoom(t *testing.T) {
	visitSources(t, func(path, dir string, imports []string) {
		for _, imported := range imports {
			foreign := strings.HasPrefix(imported, "go.opentelemetry.io/") || strings.HasPrefix(imported, "github.com/prometheus/")
			if foreign && dir != "internal/telemetry" && dir != "internal/lab/otlp" {
				t.Errorf("%s imports %s: only internal/telemetry may", path, imported)
			}
		}
	})
}
