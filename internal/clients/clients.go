// Package clients knows where MCP clients keep their configuration, and how each of them
// writes down a server.
//
// The files, from the top down:
//
//	clients.go  the files of a machine, and what reads one
//	table.go    the table of the clients: files, format, place and shape of an entry
//	entry.go    one server of a configuration
//	format.go   JSON with comments, TOML and YAML
package clients

import (
	"errors"
	"fmt"
	"io"
	"maps"
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
	for _, name := range f.servers {
		if document = object(document[name]); document == nil {
			return nil, nil
		}
	}
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if fields := object(document[name]); fields != nil {
			e := f.client.entry(fields)
			e.Name, e.client = name, f.client
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// readRegular reads a file that is neither a folder nor a pipe, which would block.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
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
