//go:build unix

package appendfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"runs-mcp-server/internal/appendfile"
)

func open(t *testing.T, path string) *appendfile.File {
	t.Helper()
	f, err := appendfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f *appendfile.File, line string) {
	t.Helper()
	if _, err := f.Write([]byte(line)); err != nil {
		t.Fatal(err)
	}
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

// TestAppends holds that a file is made for its owner alone, that what it held stays,
// and that two writers share it.
func TestAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	first := open(t, path)
	write(t, first, "one\n")
	write(t, open(t, path), "two\n")
	write(t, first, "three\n")
	requireContent(t, path, "one\ntwo\nthree\n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v (%v)", info.Mode(), err)
	}
}

// TestRotation holds that a file that was renamed, removed or truncated is written
// again under its name.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, path)
	write(t, f, "one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	requireContent(t, path+".1", "one\n")
	requireContent(t, path, "two\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "three\n")
	requireContent(t, path, "three\n")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, f, "four\n")
	requireContent(t, path, "four\n")
}

// TestOneDescriptor holds that a file is opened anew where its path names another one, and
// only there, and that the old one is closed.
func TestOneDescriptor(t *testing.T) {
	opened := func(path string) (descriptors []string) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("only Linux tells which files are open: ", err)
		}
		for _, entry := range entries {
			if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(target, path) {
				descriptors = append(descriptors, entry.Name())
			}
		}
		return descriptors
	}
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, path)
	at := opened(path)
	for range 3 {
		write(t, f, "line\n")
		if now := opened(path); len(now) != 1 || now[0] != at[0] {
			t.Fatalf("the log is open as %q, was as %q", now, at)
		}
	}
	for i := range 3 {
		if err := os.Rename(path, fmt.Sprint(path, ".", i)); err != nil {
			t.Fatal(err)
		}
		write(t, f, "line\n")
		if now := opened(path); len(now) != 1 {
			t.Fatalf("after a rotation the log is open as %q", now)
		}
	}
}

// TestRefusedPaths holds that a pipe, a folder and a path below nothing are refused at
// once.
func TestRefusedPaths(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir, filepath.Join(dir, "none", "log")} {
		if f, err := appendfile.Open(path); err == nil {
			t.Errorf("%s was opened", path)
			f.Close()
		}
	}
}

// TestFullDisk holds that a full device is an error, and that writing goes on when
// there is room again.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	path := filepath.Join(t.TempDir(), "log")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if _, err := f.Write([]byte("one\n")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	requireContent(t, path, "two\n")
}

// TestTornLine holds that a line never joins one that broke off, whoever wrote that: this
// process before it ended, or another one that shares the file.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\ntor"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	write(t, f, "two\n")
	write(t, open(t, path), "another to")
	write(t, f, "three\n")
	requireContent(t, path, "one\ntor\ntwo\nanother to\nthree\n")
}
