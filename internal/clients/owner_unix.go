//go:build unix

package clients

import (
	"io/fs"
	"os"
	"syscall"
)

// isOwn reports whether a file belongs to who runs this program.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(stat.Uid) == os.Geteuid()
}

// isPrivate reports whether nobody else can read a file.
func isPrivate(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
