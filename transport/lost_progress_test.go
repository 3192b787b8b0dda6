package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"runs-mcp-server/internal/lab/fixture"
	"runs-mcp-server/transport"

	"github.com/mark3labs/mcp-go/server"
)

// BenchmarkLostProgress makes 4,000 calls with 20 notifications each over HTTP,
// 32 at a time, to mcp-go's own handler and to ours, and reports in how many of
// them any notification did not come before the answer (docs/decisions/0004).
// Run it with -benchtime 1x.
func BenchmarkLostProgress(b *testing.B) {
	for _, era := range []string{"2025-11-25", "2026-07-28"} {
		b.Run(era+"/mcp-go", func(b *testing.B) {
			f := fixture.New(transport.Hooks())
			close(f.Release)
			site := httptest.NewServer(server.NewStreamableHTTPServer(f.MCP))
			defer site.Close()
			loseProgress(b, f, site.URL, era)
		})
		b.Run(era+"/ours", func(b *testing.B) {
			f := fixture.New(transport.Hooks())
			close(f.Release)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go transport.ServeHTTP(b.Context(), l, transport.HTTPOptions{Server: func(*http.Request) *server.MCPServer { return f.MCP }})
			loseProgress(b, f, "http://"+l.Addr().String()+"/mcp", era)
		})
	}
}

func loseProgress(b *testing.B, f *fixture.Server, url, era string) {
	go func() {
		for range f.Waiting { // nobody here waits for the calls to begin
		}
	}()
	defer close(f.Waiting)
	session := ""
	if era < "2026" {
		resp := benchPost(b, url, "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"`+era+`","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}`, era)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		session = resp.Header.Get("Mcp-Session-Id")
	}
	const calls = 4000
	for b.Loop() {
		var next, damaged, lost atomic.Int64
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for id := next.Add(1); id <= calls; id = next.Add(1) {
					if n := 20 - countProgress(b, url, session, era, id); n > 0 {
						damaged.Add(1)
						lost.Add(int64(n))
					}
				}
			})
		}
		wg.Wait()
		b.ReportMetric(float64(damaged.Load()), "damaged-calls")
		b.ReportMetric(float64(lost.Load()), "lost-notifications")
	}
}

// countProgress makes a call and returns how many notifications came before its answer.
func countProgress(b *testing.B, url, session, era string, id int64) (n int) {
	meta := fmt.Sprintf(`"progressToken":%d`, id)
	if era >= "2026" {
		meta += `,"io.modelcontextprotocol/protocolVersion":"` + era + `","io.modelcontextprotocol/clientCapabilities":{}`
	}
	resp := benchPost(b, url, session, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"slow","arguments":{},"_meta":{%s}}}`, id, meta), era)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "notifications/progress") {
			n++
		}
		if strings.Contains(lines.Text(), `"result"`) {
			return n
		}
	}
	return n
}

func benchPost(b *testing.B, url, session, body, era string) *http.Response {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", era)
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	if era >= "2026" {
		req.Header.Set("Mcp-Method", "tools/call")
		req.Header.Set("Mcp-Name", "slow")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	return resp
}
