package memory

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestPartsFit holds that the parts take no more than the whole, but one large answer
// where the whole is small, and that more memory lowers no limit.
func TestPartsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(least, 16<<30).Draw(t, "total")
		p := Divide(total)
		sum := p.withoutAnswers()
		if sum > total {
			t.Errorf("the parts take %d MiB of %d: %+v", sum/mib, total/mib, p)
		}
		if all := sum + int64(p.LargeAnswers)*answerBytes; all > total && (p.LargeAnswers > 1 || total >= 400*mib) {
			t.Errorf("the parts and %d answers take %d MiB of %d", p.LargeAnswers, all/mib, total/mib)
		}
		more := Divide(total + rapid.Int64Range(0, 1<<30).Draw(t, "more"))
		for name, limit := range map[string][2]int{
			"Bytes": {p.Bytes, more.Bytes}, "BytesPerCaller": {p.BytesPerCaller, more.BytesPerCaller}, "Connections": {p.Connections, more.Connections},
			"Watches": {p.Watches, more.Watches}, "StrangerBytes": {p.StrangerBytes, more.StrangerBytes}, "LogBytesInAll": {p.LogBytesInAll, more.LogBytesInAll},
		} {
			if limit[0] > limit[1] {
				t.Errorf("more memory lowers %s from %d to %d", name, limit[0], limit[1])
			}
		}
		if p.BytesPerCaller > p.Bytes || p.StrangerConnections > p.Connections || p.GCLimit > total {
			t.Errorf("a part is larger than its whole: %+v", p)
		}
	})
}

// TestParts holds the limits of the default and of the least.
func TestParts(t *testing.T) {
	for total, want := range map[int64]Parts{
		1 << 30: {966367638, 252444672, 31555584, 8192, 3852, 12582912, 474, 63111168, 4},
		least:   {120795948, 17563648, 8388608, 571, 268, 5242880, 40, 4390912, 1},
		8 << 30: {7730941131, 268435456, 33554432, 8192, 32524, 12582912, 512, 67108864, 64},
	} {
		if got := Divide(total); got != want {
			t.Errorf("%d MiB: got %+v, want %+v", total/mib, got, want)
		}
	}
}

// TestParseSize holds which sizes an operator may write.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"128MiB": least, "1GiB": 1 << 30, "1024MiB": 1 << 30, "999999GiB": 999999 << 30} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "1G", "1GB", "1 GiB", "1gib", "-1GiB", "1.5GiB", "127MiB", "0GiB", "1000000GiB", "131072KiB"} {
		if got, err := ParseSize(text); !errors.Is(err, errSize) {
			t.Errorf("%s: got %d, %v", text, got, err)
		}
	}
}
