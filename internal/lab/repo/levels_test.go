package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCallsGoDown holds that the files of a package form levels: no two files call each
// other, directly or through others. The sandbox and the lab are left out.
func TestCallsGoDown(t *testing.T) {
	for dir := range edges {
		if dir == "" || dir == "internal/sandbox" || strings.HasPrefix(dir, "internal/lab/") {
			continue
		}
		found := fileCalls(t, dir)
		for _, file := range slices.Sorted(maps.Keys(found)) {
			if path := pathBack(found, file, file, map[string]bool{}); path != nil {
				t.Errorf("%s: files call each other in a circle: %s", dir, strings.Join(path, ", "))
				break // one circle is enough to start with
			}
		}
	}
}

// calls holds the calls among the files of a package: by the calling file and the called
// file, the name of a function.
type calls map[string]map[string]string

// fileCalls returns the calls among the files of a folder. A function or method that is
// used as a value counts as called.
func fileCalls(t *testing.T, dir string) calls {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range sourcesOf(t, dir) {
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	// Only the package's own functions matter, so imported packages stay empty and the
	// errors that follow from that are ignored.
	config := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	_, _ = config.Check(dir, set, files, info)
	found := calls{}
	for use, object := range info.Uses {
		function, ok := object.(*types.Func)
		if !ok || !function.Pos().IsValid() {
			continue
		}
		from, to := filepath.Base(set.Position(use.Pos()).Filename), filepath.Base(set.Position(function.Pos()).Filename)
		if from == to {
			continue
		}
		if found[from] == nil {
			found[from] = map[string]string{}
		}
		if known := found[from][to]; known == "" || function.Name() < known {
			found[from][to] = function.Name()
		}
	}
	return found
}

// emptyImporter imports every package as one without names.
type emptyImporter struct{}

func (emptyImporter) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// pathBack returns the calls that lead from one file to another, or nil if none do. seen
// holds the files that are already searched.
func pathBack(found calls, from, to string, seen map[string]bool) []string {
	for _, next := range slices.Sorted(maps.Keys(found[from])) {
		step := from + " calls " + found[from][next] + " in " + next
		if next == to {
			return []string{step}
		}
		if seen[next] {
			continue
		}
		seen[next] = true
		if path := pathBack(found, next, to, seen); path != nil {
			return append([]string{step}, path...)
		}
	}
	return nil
}
