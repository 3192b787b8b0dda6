// Package race tells whether the race detector is built in. It takes many times the
// memory, so measurements of memory ask first.
package race

import (
	"runtime/debug"
	"slices"
)

// Enabled reports whether the race detector is built in.
func Enabled() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
