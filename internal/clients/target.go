package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// target is a file that is to be written.
type target struct {
	path   string // behind all links
	exists bool
	mode   fs.FileMode // of the file
}

// findTarget finds the file that a path leads to, and checks that it may be written: it is
// a regular file of this person, or there is none.
func findTarget(path string) (target, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return target{path: path, mode: privateMode}, nil
	}
	if err != nil {
		return target{}, plainError(err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if err := checkOwner(info); err != nil {
			return target{}, err
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return target{}, errors.New("it is a link that leads nowhere")
		}
		if info, err = os.Lstat(path); err != nil {
			return target{}, plainError(err)
		}
	}
	switch {
	case !info.Mode().IsRegular():
		return target{}, errNotRegular
	case info.Mode().Perm()&0o200 == 0:
		return target{}, errors.New("it is read-only")
	}
	return target{path, true, info.Mode().Perm()}, checkOwner(info)
}

// privateMode is the mode of a new file, and of one with a key: of the person alone.
const privateMode = 0o600

// checkOwner returns an error for a file of somebody else.
func checkOwner(info fs.FileInfo) error {
	if !isOwn(info) {
		return errors.New("it belongs to somebody else")
	}
	return nil
}

// plainError returns an error without the path, which the caller names.
func plainError(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// replace puts a text in the place of another one, whole or not at all. It returns the
// path of a copy of the old one. A file that somebody has changed meanwhile stays.
func (t target) replace(before, after []byte, secret bool) (backup string, err error) {
	mode := t.mode
	if secret {
		mode &= privateMode
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return "", plainError(err)
	}
	if t.exists {
		if backup, err = t.keepBackup(before, mode); err != nil {
			return "", err
		}
	}
	temporary, err := writeBeside(t.path, after, mode, true)
	if err != nil {
		return backup, err
	}
	defer os.Remove(temporary) // fails after the rename
	now, err := os.ReadFile(t.path)
	if t.exists != (err == nil) || !bytes.Equal(now, before) {
		return backup, errors.New("something else changed it meanwhile: try again")
	}
	if err := os.Rename(temporary, t.path); err != nil {
		return backup, errors.New("it cannot be replaced: " + errors.Unwrap(err).Error())
	}
	return backup, nil
}

// writeBeside writes a new file in the folder of a path and returns its path. Synced, it is
// on the disk before it can take the place of another one.
func writeBeside(path string, data []byte, mode fs.FileMode, synced bool) (temporary string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("its folder cannot be written: %w", plainError(err))
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode))
	if synced {
		err = errors.Join(err, file.Sync())
	}
	err = errors.Join(err, file.Close())
	if err != nil {
		_ = os.Remove(file.Name()) // what could not be written
		return "", fmt.Errorf("it cannot be written: %w", plainError(err))
	}
	return file.Name(), nil
}

const (
	// backupMark stands before the number of a backup.
	backupMark = ".runs-backup-"
	// maxBackups bounds the backups that stay of a file.
	maxBackups = 3
)

// keepBackup copies the file beside itself and removes the oldest of too many copies.
func (t target) keepBackup(data []byte, mode fs.FileMode) (path string, err error) {
	numbers := t.backups()
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	temporary, err := writeBeside(t.path, data, mode, false)
	if err != nil {
		return "", err
	}
	path = t.backup(next)
	if err := os.Rename(temporary, path); err != nil {
		return "", fmt.Errorf("no backup can be made: %w", err)
	}
	for _, old := range numbers[:max(0, len(numbers)+1-maxBackups)] {
		_ = os.Remove(t.backup(old)) // one too many does no harm
	}
	return path, nil
}

func (t target) backup(number int) string { return t.path + backupMark + strconv.Itoa(number) }

// backups returns the numbers of the backups that there are, the newest last.
func (t target) backups() (numbers []int) {
	entries, _ := os.ReadDir(filepath.Dir(t.path)) // no folder, no backups
	for _, entry := range entries {
		if text, ok := strings.CutPrefix(entry.Name(), filepath.Base(t.path)+backupMark); ok {
			if number, err := strconv.ParseUint(text, 10, 31); err == nil {
				numbers = append(numbers, int(number))
			}
		}
	}
	slices.Sort(numbers)
	return numbers
}

// newestBackup returns the path of the newest backup, "" if there is none.
func (t target) newestBackup() string {
	numbers := t.backups()
	if len(numbers) == 0 {
		return ""
	}
	return t.backup(numbers[len(numbers)-1])
}

// KeyFile is the file that this program keeps an API key in for clients that cannot.
type KeyFile struct {
	Path   string
	target target
	before []byte
}

// KeyFile finds the file for a key. Nobody else can read it.
func (m Machine) KeyFile() (f KeyFile, err error) {
	f.Path = filepath.Join(m.settings(), program, "api-key")
	if f.target, err = findTarget(f.Path); err != nil {
		return f, err
	}
	f.target.mode = privateMode
	if f.before, err = readRegular(f.target.path); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return f, err
}

// Exists reports whether there is a key in the file.
func (f KeyFile) Exists() bool { return len(f.before) > 0 }

// Holds reports whether the file holds a key, and nobody else can read it.
func (f KeyFile) Holds(key string) bool {
	info, err := os.Stat(f.Path)
	return err == nil && isPrivate(info) && strings.TrimSpace(string(f.before)) == key
}

// Write writes a key. It keeps no copy of the old one.
func (f KeyFile) Write(key string) error {
	t := f.target
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return plainError(err)
	}
	temporary, err := writeBeside(t.path, []byte(key+"\n"), privateMode, true)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) // fails after the rename
	if err := os.Rename(temporary, t.path); err != nil {
		return errors.New("it cannot be replaced: " + errors.Unwrap(err).Error())
	}
	return nil
}
