package canary

import (
	"encoding/json"
	"fmt"
	"testing"

	"runs-mcp-server/internal/lab/testbed"
)

// TestAppCanaries is [TestCanaries] for the live view of a run: what its tool and its
// page give a host, in both ways of declaring MCP Apps.
func TestAppCanaries(t *testing.T) {
	const capabilities = `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`
	runInBothEras(t, capabilities, func(t *testing.T, wire *testbed.Wire, api *fakeAPI) {
		s := &appScenario{wire, t, api}
		s.run()
	})
}

// runInBothEras runs a scenario over stdio in an old revision and in the newest, as clients
// that declare the capabilities, and searches what the servers put out. It returns the API
// that both had.
func runInBothEras(t *testing.T, capabilities string, run func(*testing.T, *testbed.Wire, *fakeAPI)) *fakeAPI {
	a := newFakeAPI(t)
	flags := []string{"--api-url", a.URL, "--log-level=debug", "--user-id=user-1", "--integrations=*", "--allow-pass-through", "--pass-through", writePassThroughFile(t, a.canarySet), "--approvals=human"}
	servers := map[string]*recordedServer{}
	t.Run("clients", func(t *testing.T) {
		for _, version := range []string{"2025-11-25", testbed.Newest} {
			rs := newRecordedServer()
			rs.human = true
			servers[version] = rs
			t.Run(version, func(t *testing.T) {
				t.Parallel() // they wait, most of the time
				in, out := rs.runOnPipes(t, a.canaryFor("key of a client of "+version), nil, flags...)
				run(t, testbed.NewWire(t, in, out, version, capabilities), a)
			})
		}
	})
	scanner := newScanner(a.canarySet)
	for _, rs := range servers {
		rs.checkOutput(t, scanner)
	}
	return a
}

// appScenario looks at runs as the live view does.
type appScenario struct {
	*testbed.Wire
	t   *testing.T
	api *fakeAPI
}

// run follows a run of each kind, and has every request fail with every status.
func (s *appScenario) run() {
	for _, method := range []string{"tools/list", "resources/list"} {
		s.Call(method, "")
	}
	s.Call("resources/read", `"uri":"ui://runs/run.html"`)
	for _, intent := range []string{"done already", "step by step", "start when allowed", "quiet until asked", "auth needed", "strange to say"} {
		if id := s.create(intent); id != "" {
			s.follow(id)
		}
	}
	for _, status := range []string{"400", "401", "403", "404", "409", "418", "429", "503"} {
		id := "00000000-0000-4000-8000-000000000" + status
		s.read(id, "")
		s.read(id, `,"afterEventId":0,"waitSeconds":1`)
	}
}

// create creates a run and returns its id, "" for none.
func (s *appScenario) create(intent string) (id string) {
	arguments, err := json.Marshal((&scenario{api: s.api}).createArguments(intent, 0))
	if err != nil {
		s.t.Fatal(err)
	}
	var created struct{ StructuredContent struct{ RunID string } }
	_ = json.Unmarshal(s.Call("tools/call", fmt.Sprintf(`"name":"create_run","arguments":%s`, arguments)).Result, &created)
	return created.StructuredContent.RunID
}

// follow reads a run in all ways, until it has ended or nothing happens for a second.
func (s *appScenario) follow(id string) {
	s.read(id, "")
	for after, quiet := int64(0), 0; quiet < 2; {
		last, finished := s.read(id, fmt.Sprintf(`,"afterEventId":%d,"waitSeconds":1`, after))
		if last == after || finished {
			quiet++
		}
		after = last
	}
	s.read(id, `,"afterEventId":0`)
	s.read(id, `,"beforeEventId":100`)
}

// read calls follow_run.
func (s *appScenario) read(id, more string) (last int64, finished bool) {
	var got struct {
		StructuredContent struct {
			LastEventID int64
			Finished    bool
		}
	}
	_ = json.Unmarshal(s.Call("tools/call", fmt.Sprintf(`"name":"follow_run","arguments":{"runId":%q%s}`, id, more)).Result, &got)
	return got.StructuredContent.LastEventID, got.StructuredContent.Finished
}
