//go:build unix

package doctor

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many file descriptors the process may have; 0: not known.
// At start Go raises this limit (soft) to the highest one allowed (hard).
func descriptorLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), math.MaxInt32))
}
