package jsonrpc

import (
	"errors"
	"strings"
	"testing"
)

// TestLineAtTheLimit: a line of limit bytes is read whole, and a longer one refused,
// wherever in the line the reader's buffer of 64 KiB ends.
func TestLineAtTheLimit(t *testing.T) {
	for limit := 64<<10 - 6; limit <= 64<<10; limit++ {
		fits := strings.Repeat("x", limit)
		r := NewLineReader(strings.NewReader(ByteOrderMark+fits+"\r\n"+fits+"x\r\n"), limit)
		if line, err := r.NextLine(); string(line) != fits || err != nil {
			t.Errorf("limit %d: read %d bytes, %v", limit, len(line), err)
		}
		if _, err := r.NextLine(); !errors.Is(err, ErrTooLong) {
			t.Errorf("limit %d: a longer line: %v", limit, err)
		}
	}
}
