// Package memory divides the memory of the HTTP server among its parts. It knows only
// what each part takes, in bytes of resident memory, and where that was measured.
package memory

import (
	"errors"
	"regexp"
	"strconv"
)

const (
	kib = 1 << 10
	mib = 1 << 20

	// least is the least that leaves each part enough to work.
	least = 128 * mib
	// most is what all parts can use: 250,000 watched runs, at most.
	most = 64 << 30

	// processBytes is what the process takes when it has just started: 25 MiB are
	// measured, but 19 of them are of the program's file, which the system can take back.
	processBytes = 20 * mib
	// rememberedBytes is the sum of the maps that remember: 3 times maxRememberedBytes
	// and maxPlansBytes of internal/approval; maxHistoriesBytes, maxRoundsBytes and
	// maxUsedBytes of internal/attend; the callers' health of client.
	rememberedBytes = 41 * mib

	// connectionBytes is what an idle connection takes (TestIdleConnections).
	connectionBytes = 20 * kib
	// strangerBytes is what a stranger's connection takes with a header that has no end
	// (TestStrangers).
	strangerBytes = 104 * kib
	// watchBytes is what a watched run takes beside its log (TestWatchedRuns).
	watchBytes = 48 * kib
	// answerBytes is what a large answer of the API takes while it is read and decoded:
	// 42 MiB, and 70 MiB for one that consists of approval links (TestLargeAnswers).
	answerBytes = 64 * mib
)

// Parts are the limits of the parts of the server. The names are those of the options
// that they set.
type Parts struct {
	// GCLimit is the limit of the garbage collector, see
	// [runtime/debug.SetMemoryLimit].
	GCLimit int64

	Bytes, BytesPerCaller              int // of callers that the API knows
	Connections, Watches               int
	StrangerBytes, StrangerConnections int
	LogBytesInAll                      int
	LargeAnswers                       int
}

// Divide divides so many bytes. What the process takes in any case comes first. Of the
// rest the callers' bytes get a quarter, connections a sixth, watched runs three
// sixteenths, their logs and strangers a sixteenth each, and large answers what is left.
// No limit but those of watched runs and large answers is above the default of its option.
func Divide(total int64) Parts {
	rest := min(max(total, least), most) - processBytes - rememberedBytes
	p := Parts{
		GCLimit:       total / 10 * 9,
		Bytes:         int(min(rest/4, 256*mib)),
		Connections:   int(min(rest/6/connectionBytes, 8_192)),
		Watches:       int(rest / 16 * 3 / watchBytes),
		LogBytesInAll: int(min(rest/16, 64*mib)),
	}
	// The body of one request counts 4 MiB: there must be room for one.
	p.BytesPerCaller = min(max(p.Bytes/8, 8*mib), 32*mib)
	p.StrangerBytes = int(min(max(rest/16/5, 5*mib), 12*mib))
	p.StrangerConnections = int(min(max((rest/16-int64(p.StrangerBytes))/strangerBytes, 40), 512))
	p.LargeAnswers = int(min(max((total-p.withoutAnswers())/answerBytes, 1), 64))
	return p
}

// withoutAnswers returns what all parts but large answers take together, in bytes.
func (p Parts) withoutAnswers() int64 {
	bytes := p.Bytes + p.LogBytesInAll + p.StrangerBytes
	return processBytes + rememberedBytes + int64(bytes) + int64(p.Connections)*connectionBytes + int64(p.Watches)*watchBytes +
		int64(p.StrangerConnections)*strangerBytes
}

// errSize says what a size is like.
var errSize = errors.New("a size is like 512MiB or 1GiB, and at least 128MiB")

var sizeForm = regexp.MustCompile(`^([0-9]{1,6})(MiB|GiB)$`)

// ParseSize returns the bytes of a size that an operator wrote, or [errSize].
func ParseSize(text string) (int64, error) {
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, errSize
	}
	size, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, errSize
	}
	size *= mib
	if m[2] == "GiB" {
		size *= kib
	}
	if size < least {
		return 0, errSize
	}
	return size, nil
}
