// Package appendfile writes to a log file that something else may rotate.
//
// A [File] only ever appends (O_APPEND), so several processes can share one file, and
// each Write is one line or more, whole. If the file was renamed or removed since the
// last Write, the next one opens the path again: rotation needs no signal. A rotation
// that copies and truncates works too.
package appendfile

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// mode lets only the operator read a new file.
const mode = 0o600

// File is an open file. It is safe for concurrent use.
type File struct {
	path string

	mu   sync.Mutex // guards the file
	file *os.File
}

// Open opens a file to append to, and creates it if there is none. A named pipe is
// refused: without a reader, opening it would wait for ever.
func Open(path string) (*File, error) {
	f := &File{path: path}
	return f, f.open()
}

func (f *File) open() error {
	if info, err := os.Stat(f.path); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return &fs.PathError{Op: "open", Path: f.path, Err: errors.New("not a file")}
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, mode) // see endsInLine
	if errors.Is(err, fs.ErrPermission) {
		file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	}
	if err != nil {
		return err
	}
	f.file = file
	return nil
}

// Write appends lines. If the file ends within a line, it ends that first, so that no
// line is joined to a torn one: a Write broke off, of this process or of another one.
func (f *File) Write(lines []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.follow(); err != nil {
		return 0, err
	}
	if f.endsInLine() {
		if _, err := f.file.Write([]byte("\n")); err != nil {
			return 0, err
		}
	}
	return f.file.Write(lines)
}

// endsInLine reports whether the last line of the file has no end. It reports false for
// a device, and for a file that may not be read.
func (f *File) endsInLine() bool {
	info, err := f.file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	n, _ := f.file.ReadAt(last, info.Size()-1)
	return n == 1 && last[0] != '\n'
}

// follow opens the path again if it names another file by now, or none.
func (f *File) follow() error {
	current, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.file != nil && err == nil {
		if opened, err := f.file.Stat(); err == nil && os.SameFile(opened, current) {
			return nil
		}
	}
	old := f.file
	if err := f.open(); err != nil {
		return err
	}
	if old != nil {
		_ = old.Close() // what was written is written
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
