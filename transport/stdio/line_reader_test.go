package stdio

import (
	"errors"
	"strings"
	"testing"

	"runs-mcp-server/transport/jsonrpc"
)

// TestLineAtTheLimit: a line of limit bytes is read whole, and a longer one refused,
// wherever in the line the reader's buffer of 64 KiB ends.
func TestLineAtTheLimit(t *testing.T) {
	for limit := 64<<10 - 6; limit <= 64<<10; limit++ {
		fits := strings.Repeat("x", limit)
		r := newLineReader(strings.NewReader(jsonrpc.ByteOrderMark+fits+"\r\n"+fits+"x\r\n"), limit)
		if line, err := r.nextLine(); string(line) != fits || err != nil {
			t.Errorf("limit %d: read %d bytes, %v", limit, len(line), err)
		}
		if _, err := r.nextLine(); !errors.Is(err, errTooLong) {
			t.Errorf("limit %d: a longer line: %v", limit, err)
		}
	}
}
