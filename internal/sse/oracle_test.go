package sse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"pgregory.net/rapid"

	"runs-mcp-server/internal/sse"
)

// noLimit is a record limit that no input of these tests reaches.
const noLimit = 1 << 30

// outcome is everything a stream can tell: what Next returned, call by call, and the state it left behind.
type outcome struct {
	steps  []string
	lastID string
	retry  string
}

// show writes a frame as `#id! @event "data"`: the id only if there is one, ! if the record itself set it.
func show(id string, hasID bool, event string, data string) string {
	var b strings.Builder
	if id != "" || hasID {
		b.WriteString("#" + id)
		if hasID {
			b.WriteString("!")
		}
		b.WriteString(" ")
	}
	if event != "" {
		b.WriteString("@" + event + " ")
	}
	return b.String() + data
}

func showFrame(f sse.Frame) string {
	return show(f.ID, f.HasID, f.Event, fmt.Sprintf("%q", f.Data))
}

func showTooLarge(id string, hasID bool, event string, lastID string) string {
	return show(id, hasID, event, fmt.Sprintf("too large, last id %q", lastID))
}

// decode runs the decoder over r to its end.
func decode(t rapid.TB, r io.Reader, limit int) outcome {
	t.Helper()
	d := sse.NewDecoder(r, limit)
	var o outcome
	for f, err := range frames(d) {
		var tooLarge *sse.TooLargeError
		switch {
		case errors.As(err, &tooLarge):
			if tooLarge.Limit != limit {
				t.Fatalf("limit in the error is %d, want %d", tooLarge.Limit, limit)
			}
			o.steps = append(o.steps, showTooLarge(tooLarge.ID, tooLarge.HasID, tooLarge.Event, d.LastEventID()))
		case err != nil:
			t.Fatalf("unexpected error: %v", err)
		default:
			if d.LastEventID() != f.ID {
				t.Fatalf("last event id %q after a frame of id %q", d.LastEventID(), f.ID)
			}
			if f.Data == nil {
				t.Fatal("frame with nil data")
			}
			o.steps = append(o.steps, showFrame(f))
		}
	}
	if _, err := d.Next(); err != io.EOF {
		t.Fatalf("Next after the end: %v, want io.EOF", err)
	}
	o.lastID = d.LastEventID()
	if retry, ok := d.Retry(); ok {
		o.retry = retry.String()
	} else if retry != 0 {
		t.Fatalf("retry %v without a retry field", retry)
	}
	return o
}

// oracle is the standard's text as a program: whole input, one step after the other, nothing clever. It shares no code
// and no idea with the decoder, so that they don't share mistakes.
func oracle(in []byte, limit int) outcome {
	if string(in) == "\xEF" || string(in) == "\xEF\xBB" {
		return outcome{} // half a byte order mark and the end: cut off, and no telling whether it counts
	}
	in = bytes.TrimPrefix(in, []byte{0xEF, 0xBB, 0xBF})
	raw, text := splitLines(string(in)), splitLines(decodeUTF8(in))
	digits := regexp.MustCompile(`^[0-9]+$`)
	var o outcome
	var data, event, id string
	hasID, over, size := false, false, 0
	for i, line := range text {
		if strings.HasPrefix(line, ":") {
			continue
		}
		size += len(raw[i])
		if size > limit && !over {
			o.steps = append(o.steps, showTooLarge(id, hasID, event, o.lastID))
			over = true
		}
		if i == len(text)-1 || len(raw[i]) > limit {
			continue // what no line end follows is counted, but never interpreted
		}
		if line == "" {
			o.lastID = id
			if data != "" && !over {
				o.steps = append(o.steps, show(id, hasID, event, fmt.Sprintf("%q", strings.TrimSuffix(data, "\n"))))
			}
			data, event, hasID, over, size = "", "", false, false, 0
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "data":
			data += value + "\n"
		case field == "event" && !over:
			event = value
		case field == "id" && !strings.Contains(value, "\x00"):
			id, hasID = value, true
		case field == "retry" && digits.MatchString(value):
			o.retry = milliseconds(value)
		}
	}
	return o
}

func milliseconds(digits string) string {
	ms, _ := new(big.Int).SetString(digits, 10)
	if most := big.NewInt(math.MaxInt64 / 1_000_000); ms.Cmp(most) > 0 {
		ms = most
	}
	return (time.Duration(ms.Int64()) * time.Millisecond).String()
}

// splitLines returns the lines of s and, as its last element, what follows the last line end.
func splitLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.Split(s, "\n")
}

// decodeUTF8 is the decoder of the WHATWG Encoding standard, section 8.1.1, state by state.
func decodeUTF8(in []byte) string {
	var out strings.Builder
	var point rune
	var lower, upper byte
	needed := 0
	for i := 0; i < len(in); i++ {
		b := in[i]
		switch {
		case needed == 0 && b <= 0x7F:
			out.WriteByte(b)
		case needed == 0:
			if point, needed, lower, upper = lead(b); needed == 0 {
				out.WriteString("\uFFFD")
			}
		case b < lower || b > upper:
			needed = 0
			i-- // the byte is looked at again
			out.WriteString("\uFFFD")
		default:
			lower, upper = 0x80, 0xBF
			point = point<<6 | rune(b&0x3F)
			if needed--; needed == 0 {
				out.WriteRune(point)
			}
		}
	}
	if needed > 0 {
		out.WriteString("\uFFFD")
	}
	return out.String()
}

// lead returns the first bits of the character that b begins, how many bytes follow and the bounds of the next one.
func lead(b byte) (point rune, needed int, lower, upper byte) {
	switch {
	case b >= 0xC2 && b <= 0xDF:
		return rune(b & 0x1F), 1, 0x80, 0xBF
	case b == 0xE0:
		return rune(b & 0xF), 2, 0xA0, 0xBF
	case b == 0xED:
		return rune(b & 0xF), 2, 0x80, 0x9F
	case b >= 0xE1 && b <= 0xEF:
		return rune(b & 0xF), 2, 0x80, 0xBF
	case b == 0xF0:
		return rune(b & 0x7), 3, 0x90, 0xBF
	case b == 0xF4:
		return rune(b & 0x7), 3, 0x80, 0x8F
	case b >= 0xF1 && b <= 0xF3:
		return rune(b & 0x7), 3, 0x80, 0xBF
	}
	return 0, 0, 0, 0
}

// chunked gives out its bytes in reads of the sizes that size returns. A size of 0 is a read of nothing.
type chunked struct {
	rest []byte
	size func() int
}

func inChunks(s string, size int) io.Reader {
	return &chunked{[]byte(s), func() int { return size }}
}

// inRandomChunks mixes reads from nothing to 1, 16, … 64 KiB, whatever the seed says.
func inRandomChunks(in []byte, seed uint64) io.Reader {
	rnd := rand.New(rand.NewPCG(seed, 1))
	most := 2 << (seed % 16)
	return &chunked{in, func() int { return rnd.IntN(most) }}
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size())], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
