package sse_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"runs-mcp-server/internal/sse"
)

// stepStream is a run's stream as the API sends it: steps with tool calls of some 1 to 3 KiB, a heartbeat now and then.
func stepStream() (stream string, records int) {
	var b strings.Builder
	for i := range 100 {
		result := strings.Repeat(`{\"name\":\"Grüße\",\"status\":\"open\"},`, 10+i%50)
		fmt.Fprintf(&b, "id: %d\nevent: step\ndata: "+`{"runId":"0b7d1f2e-6f0c-4b0a-9d3e-5a1c2b3d4e5f","runStatus":"RUNNING",`+
			`"timestamp":"2026-01-02T03:04:05.678Z","step":{"reason":"Look for open tickets","approval":"NOT_REQUIRED","toolCalls":`+
			`[{"toolCallId":"call_%d","toolName":"search","toolParameters":{"q":"open"},"toolResult":{"executionResult":"%s"}}]}}`+"\n\n", i, i, result)
		records++
		if i%10 == 9 {
			b.WriteString("event: keepalive\ndata: null\n\n")
			records++
		}
	}
	return b.String(), records
}

// BenchmarkDecoder decodes one such stream per operation: allocs/op are those of all its records.
func BenchmarkDecoder(b *testing.B) {
	steps, records := stepStream()
	for _, bb := range []struct {
		name, in string
		chunk    int
	}{
		{"LF/all", steps, len(steps)},
		{"LF/1400", steps, 1400}, // about what one packet brings
		{"LF/1", steps, 1},
		{"CR/all", strings.ReplaceAll(steps, "\n", "\r"), len(steps)},
		{"CRLF/all", strings.ReplaceAll(steps, "\n", "\r\n"), len(steps)},
		{"short CR lines/all", strings.Repeat("data\r", 20_000) + "\r", 1 << 20},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.in)))
			b.ReportAllocs()
			in := []byte(bb.in)
			size := func() int { return bb.chunk }
			for b.Loop() {
				n := 0
				d := sse.NewDecoder(&chunked{in, size}, 1<<20)
				for {
					_, err := d.Next()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != records && n != 1 {
					b.Fatalf("%d records, want %d", n, records)
				}
			}
		})
	}
}
