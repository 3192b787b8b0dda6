// Package clients knows where MCP clients keep their configuration, and how each of them
// writes down a server.
//
// The files, from the top down:
//
//	clients.go  the files of a machine, and what reads one
//	table.go    the table of the clients: files, format, place and shape of an entry
//	entry.go    one server of a configuration, read
//	shape.go    an entry as a client wants it, and what it keeps of the old one
//	change.go   an edit of a file: adding or removing this server's entry
//	input.go    the question for the key that VS Code asks
//	target.go   the file that is written: what may be, backups, atomic
//	diff.go     the change as a person reads it, without secrets
//	edit.go     texts of each format: edit_json.go with container.go, edit_toml.go, edit_yaml.go;
//	            lines.go is what they share
//	document.go decoded documents
//	format.go   JSON with comments, TOML and YAML, decoded
package clients

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Machine is where files are looked for.
type Machine struct {
	OS   string              // as runtime.GOOS
	Home string              // the person's folder, "" if it is not known
	Dir  string              // the folder of the project, "" for none
	Env  func(string) string // the environment
}

// File is a configuration file that a client would read.
type File struct {
	Client string // the client's name, as people know it
	Path   string
	// Project says that the file belongs to a folder and not to a person: somebody else
	// may have written it.
	Project bool
	IsPart  bool // it is a part of a file that is listed too
	client  client
	servers []string // the names that lead to the servers
}

// Files returns the configuration files that clients would read, whether they exist or
// not, in the order of the table. In the person's own folder there is no project.
func (m Machine) Files() []File {
	if m.Dir == m.Home {
		m.Dir = ""
	}
	var files []File
	for _, c := range table() {
		for _, f := range c.files(m) {
			f.Client, f.client = c.name, c
			if f.servers == nil {
				f.servers = c.servers
			}
			files = append(files, f)
		}
	}
	return files
}

// IDs returns how the clients are named on a command line.
func IDs() (ids []string) {
	for _, c := range table() {
		ids = append(ids, c.id)
	}
	return ids
}

// Find returns the file of a client in which an entry is to stand: the person's, or that
// of the project. Of several the one that exists.
func (m Machine) Find(id string, project bool) (File, error) {
	var found []File
	name := ""
	for _, f := range m.Files() {
		if f.client.id == id {
			name = f.Client
			if f.Project == project && !f.IsPart {
				found = append(found, f)
			}
		}
	}
	switch {
	case len(found) > 0:
	case project && m.Dir == m.Home:
		return File{}, errors.New("this is your own folder, and no project's")
	case project && name != "":
		return File{}, fmt.Errorf("%s has no configuration for a project", name)
	default:
		return File{}, errors.New("your own folder is not known: set HOME")
	}
	for _, f := range found {
		if _, err := os.Lstat(f.Path); err == nil {
			return f, nil
		}
	}
	return found[0], nil
}

// maxFile bounds a configuration file, in bytes. Claude Code keeps its history in its own.
const maxFile = 64 << 20

// Read returns the servers of a file, by name. The error wraps [os.ErrNotExist] if there
// is no such file. It quotes nothing of the file, which may hold secrets.
func (f File) Read() ([]Entry, error) {
	data, err := readRegular(f.Path)
	if err != nil {
		return nil, err
	}
	document, err := f.client.format.decode(data)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, field := range sorted(object(get(document, f.serversIn(document)))) {
		if entry := object(field.value); entry != nil {
			entries = append(entries, f.client.read(field.name, entry))
		}
	}
	return entries, nil
}

// serversIn returns the names that lead to the servers of a document. OpenCode 2 has one
// more of them.
func (f File) serversIn(document map[string]any) []string {
	deeper := append(slices.Clone(f.servers), f.client.deeper)
	if f.client.deeper != "" && object(get(document, deeper)) != nil {
		return deeper
	}
	return f.servers
}

// readRegular reads a file that is neither a folder nor a pipe, which would block.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile))
}

// errNotRegular is the error of a folder, a pipe or a device.
var errNotRegular = errors.New("it is no regular file")
