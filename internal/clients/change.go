package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"unicode"
)

// Change is an edit of a configuration file that is not written yet.
type Change struct {
	File   File
	Name   string // of the entry
	target target
	before []byte
	after  []byte
	old    fields // the entry as it is, nil for none
	new    fields // the entry as it will be, nil for none
}

// Install returns the change that makes an entry start or reach a server. Without a name
// it is the entry of this server that is there, or "runs".
func (f File) Install(name string, s Server) (Change, error) {
	if s.URL != "" && f.client.noURL != "" {
		return Change{}, errors.New(f.client.noURL)
	}
	c, entry, err := f.open(name)
	if err != nil {
		return Change{}, err
	}
	c.new = f.client.merge(entry, f.client.shape(f.client, c.Name, s))
	return c, c.edit(func(document map[string]any) ([]byte, error) {
		wanted, err := f.client.format.decode([]byte(f.client.format.render(c.path(), c.new)))
		if err != nil {
			return nil, err
		}
		after := c.before
		if value := get(wanted, c.path()); !reflect.DeepEqual(value, get(document, c.path())) {
			if after, err = f.client.format.set(c.before, c.path(), c.new); err != nil {
				return nil, err
			}
			put(document, c.path(), value)
		}
		if f.client.needsInput(s) {
			return addInput(after, document)
		}
		return after, nil
	})
}

// Remove returns the change that removes this server's entry, and what only it needed.
func (f File) Remove(name string) (Change, error) {
	c, entry, err := f.open(name)
	if err != nil || entry == nil {
		return c, err
	}
	return c, c.edit(func(document map[string]any) ([]byte, error) {
		after, err := c.without(c.before, document)
		if err != nil {
			return nil, err
		}
		return c.asBefore(after, document), nil
	})
}

// without returns a text, and changes its document, so that it has no entry and nothing
// that only the entry needed.
func (c Change) without(data []byte, document map[string]any) ([]byte, error) {
	data, err := c.File.client.format.unset(data, c.path())
	if err != nil {
		return nil, err
	}
	cut(document, c.path())
	return removeInput(data, document)
}

// open reads the file and finds the entry. The entry is nil if there is none.
func (f File) open(name string) (c Change, entry map[string]any, err error) {
	c = Change{File: f, Name: name}
	if c.target, err = findTarget(f.Path); err != nil {
		return c, nil, err
	}
	if c.before, err = readRegular(c.target.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, nil, err
	}
	c.after = c.before
	document, err := f.client.format.decode(c.before)
	if err != nil {
		return c, nil, err
	}
	c.File.servers = f.serversIn(document)
	if c.Name == "" {
		c.Name = f.nameOfOurs(get(document, c.File.servers))
	}
	value := get(document, c.path())
	if value == nil {
		return c, nil, nil
	}
	if entry = object(value); entry == nil || !f.client.read(c.Name, entry).IsOurs() {
		return c, nil, fmt.Errorf("it has an entry %q of something else: choose another name with --name", c.Name)
	}
	c.old = sorted(entry)
	return c, entry, nil
}

// defaultName is the name of an entry that nobody named.
const defaultName = "runs"

// nameOfOurs returns the name of the entry of this server among the servers of a file.
func (f File) nameOfOurs(servers any) string {
	for _, field := range sorted(object(servers)) {
		if entry := object(object(servers)[field.name]); entry != nil && f.client.read(field.name, entry).IsOurs() {
			return field.name
		}
	}
	return defaultName
}

func (c Change) path() []string { return append(slices.Clone(c.File.servers), c.Name) }

// edit makes the new text, and checks that it says what the document says that edits has
// changed alike: no other word of the file may get another meaning.
func (c *Change) edit(edits func(document map[string]any) ([]byte, error)) error {
	format := c.File.client.format
	document, err := format.decode(c.before)
	if err != nil {
		return err
	}
	if document == nil {
		document = map[string]any{}
	}
	after, err := edits(document)
	if err != nil {
		return errShape // the parsers' own texts quote the file
	}
	written, err := format.decode(after)
	if err != nil || !reflect.DeepEqual(withoutEmpty(written, c.path()), withoutEmpty(document, c.path())) {
		return errShape
	}
	c.after = after
	return nil
}

// errShape is the error of a file that would say something else after an edit.
var errShape = errors.New("its entry is written in a way that cannot be changed safely: add it by hand, as --print shows it")

// asBefore returns the text of the newest backup instead of a text and its document, if
// the backup has no entry either and differs in white space, commas and empty lists alone.
func (c *Change) asBefore(after []byte, document map[string]any) []byte {
	backup, err := os.ReadFile(c.target.newestBackup())
	if err != nil {
		return after
	}
	old, err := c.File.client.format.decode(backup)
	if err != nil || get(old, c.path()) != nil {
		return after
	}
	cleaned, err := c.without(backup, old)
	if err == nil && bytes.Equal(withoutSpace(cleaned), withoutSpace(after)) && reflect.DeepEqual(withoutEmpty(old, c.path()), withoutEmpty(document, c.path())) {
		return backup
	}
	return after
}

// withoutSpace returns a text without white space and commas.
func withoutSpace(data []byte) []byte {
	return bytes.Join(bytes.FieldsFunc(data, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }), nil)
}

// Empty reports whether there is nothing to change.
func (c Change) Empty() bool { return bytes.Equal(c.before, c.after) }

// Creates reports whether the file does not exist yet.
func (c Change) Creates() bool { return !c.target.exists }

// Entry returns the entry as it will be. It is the zero Entry if there will be none.
func (c Change) Entry() Entry {
	if c.new == nil {
		return Entry{}
	}
	return c.File.client.read(c.Name, c.new.object())
}

// holdsKey reports whether the file has or will have the key in plain text.
func (c Change) holdsKey() bool {
	for _, entry := range []fields{c.old, c.new} {
		if entry != nil && c.File.client.read(c.Name, entry.object()).KeyAt().Plain {
			return true
		}
	}
	return false
}

// Write writes the file. It returns the path of the backup, "" if there was no file.
func (c Change) Write() (backup string, err error) {
	if c.Empty() {
		return "", nil
	}
	return c.target.replace(c.before, c.after, c.holdsKey())
}

// Snippet returns the entry of a server as it stands in an empty file.
func (f File) Snippet(name string, s Server) (string, error) {
	if s.URL != "" && f.client.noURL != "" {
		return "", errors.New(f.client.noURL)
	}
	if name == "" {
		name = defaultName
	}
	text := []byte(f.client.format.render(append(slices.Clone(f.servers), name), f.client.shape(f.client, name, s)))
	if f.client.needsInput(s) {
		var err error
		if text, err = addInput(text, map[string]any{}); err != nil {
			return "", err
		}
	}
	return string(text), nil
}
