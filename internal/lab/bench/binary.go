package main

import (
	"cmp"
	"debug/buildinfo"
	"debug/elf"
	"slices"
	"strings"
)

// part is a part of our binary.
type part struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// largestModules is how many modules of a binary are shown; the others are one part.
const largestModules = 12

// binaryParts returns what is in a binary: its code by module, the modules that have most
// of it first, then what is not code.
func binaryParts(path string) ([]part, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	modules := []string{info.Main.Path}
	for _, dependency := range info.Deps {
		modules = append(modules, dependency.Path)
	}
	code := map[string]int64{}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			code["code of "+ownerOf(s.Name, modules)] += int64(s.Size)
		}
	}
	return append(largest(code, largestModules), sectionParts(file)...), nil
}

// ownerOf returns the module of a symbol, or a part of the standard library.
func ownerOf(symbol string, modules []string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(symbol, "type:.eq."), "go:(*")
	owner := ""
	for _, m := range modules {
		if len(m) > len(owner) && strings.HasPrefix(name, m) && (len(name) == len(m) || strings.ContainsRune("./", rune(name[len(m)]))) {
			owner = m
		}
	}
	switch {
	case owner != "":
		return owner
	case strings.HasPrefix(name, "crypto/"), strings.HasPrefix(name, "vendor/golang.org/x/crypto"):
		return "crypto (standard library)"
	case strings.HasPrefix(name, "net/http"), strings.HasPrefix(name, "vendor/golang.org/x/net/"), strings.HasPrefix(name, "net."):
		return "net and net/http (standard library)"
	case strings.HasPrefix(name, "runtime."), strings.HasPrefix(name, "internal/runtime/"):
		return "the runtime"
	}
	return "the other standard library"
}

// largest returns the largest parts, and one part for the others.
func largest(all map[string]int64, n int) []part {
	var parts []part
	for name, size := range all {
		parts = append(parts, part{name, size})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name)) })
	if len(parts) <= n {
		return parts
	}
	others := part{Name: "code of other modules"}
	for _, p := range parts[n:] {
		others.Bytes += p.Bytes
	}
	return append(slices.Clone(parts[:n]), others)
}

// sectionParts returns the sizes of the sections that are not code.
func sectionParts(file *elf.File) []part {
	sections := []struct{ prefix, name string }{
		{".gopclntab", "tables of functions and lines, for stack traces"},
		{".rodata", "constants and types"},
		{".data", "initialised data"}, {".noptrdata", "initialised data"},
		{".debug", "debug information (none with -ldflags=-w)"}, {".zdebug", "debug information (none with -ldflags=-w)"},
		{".symtab", "symbols (none with -ldflags=-s)"}, {".strtab", "symbols (none with -ldflags=-s)"},
	}
	sizes := map[string]int64{}
	for _, s := range file.Sections {
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		i := slices.IndexFunc(sections, func(known struct{ prefix, name string }) bool { return strings.HasPrefix(s.Name, known.prefix) })
		if i >= 0 {
			sizes[sections[i].name] += int64(s.FileSize)
		}
	}
	return largest(sizes, len(sizes))
}
