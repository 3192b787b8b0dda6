package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

//go:embed templates
var templates embed.FS

// render fills in a template.
func render(file string, data any) ([]byte, error) {
	t, err := template.New(file).Option("missingkey=error").ParseFS(templates, "templates/"+file)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = t.Execute(&text, data)
	return text.Bytes(), err
}

// packedFile is a file of a package.
type packedFile struct {
	path    string // with slashes
	content []byte
	mode    fs.FileMode
}

// readPacked reads a file for a package.
func readPacked(from, path string, mode fs.FileMode) (packedFile, error) {
	content, err := os.ReadFile(from)
	return packedFile{path, content, mode}, err
}

// writeFiles writes files below a folder.
func writeFiles(folder string, files ...packedFile) error {
	for _, f := range files {
		path := filepath.Join(folder, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.content, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// packTar returns a tar archive. It holds the folders of its files, too.
func packTar(at time.Time, files ...packedFile) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	made := map[string]bool{}
	for _, f := range files {
		for i, c := range f.path {
			if folder := f.path[:i]; c == '/' && !made[folder] {
				made[folder] = true
				if err := w.WriteHeader(&tar.Header{Name: folder + "/", Mode: 0o755, ModTime: at, Typeflag: tar.TypeDir}); err != nil {
					return nil, err
				}
			}
		}
		if err := w.WriteHeader(&tar.Header{Name: f.path, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: at}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}

// packZip returns a zip archive.
func packZip(at time.Time, files ...packedFile) ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.path, Method: zip.Deflate, Modified: at}
		header.SetMode(f.mode)
		entry, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}

// writeArchive writes an archive in the format that its name ends with.
func writeArchive(path string, at time.Time, files ...packedFile) error {
	pack := packGzip
	if strings.HasSuffix(path, ".zip") {
		pack = packZip
	}
	archive, err := pack(at, files...)
	if err != nil {
		return err
	}
	return writeFiles(filepath.Dir(path), packedFile{filepath.Base(path), archive, 0o644})
}

// packGzip returns a compressed tar archive.
func packGzip(at time.Time, files ...packedFile) ([]byte, error) {
	archive, err := packTar(at, files...)
	if err != nil {
		return nil, err
	}
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(archive); err != nil {
		return nil, err
	}
	err = w.Close()
	return compressed.Bytes(), err
}
