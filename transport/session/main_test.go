package session

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"go.uber.org/goleak"

	"runs-mcp-server/internal/lab/fixture"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testDispatcher returns a dispatcher of a client that can ask its person.
func testDispatcher(f *fixture.Server, elicitationTimeout time.Duration) *Dispatcher {
	connection := NewConnection(Config{ElicitationTimeout: elicitationTimeout})
	connection.client.SetClientCapabilities(mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}})
	return &Dispatcher{Server: f.MCP, Log: slog.New(slog.DiscardHandler), Connection: connection, Admit: AdmitUpTo(1), Calls: new(sync.WaitGroup)}
}

// recorder is a sink that records what is written.
type recorder struct {
	lines   []string
	answers []string
}

func (r *recorder) WriteNotification(line []byte) error {
	r.lines = append(r.lines, string(line))
	return nil
}

func (r *recorder) WriteRequest(line []byte) error { return r.WriteNotification(line) }

func (r *recorder) WriteAnswer(a Answer) error {
	r.answers = append(r.answers, string(a.Line))
	return nil
}
