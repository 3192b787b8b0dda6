package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rootFolder lists what the root folder may hold, beside one test file.
var rootFolder = []string{
	"main.go", "go.mod", "go.sum", "tools", "resources", "client", "transport", "internal", "docs", "packaging",
	"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ".gitignore", ".ci", ".git",
	".github", ".claude-plugin", // their readers demand the place
	"runs-mcp-server", // the binary of go build, which .gitignore lists
	"dist",            // what .ci/package/build builds; the same
}

// TestRootFolder holds that the root folder holds only what rootFolder lists, and at most
// one test file.
func TestRootFolder(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, "_test.go") {
			tests = append(tests, name)
		} else if !slices.Contains(rootFolder, name) {
			t.Errorf("%s does not belong in the root folder", name)
		}
	}
	if len(tests) > 1 {
		t.Errorf("the root folder holds %d test files, want at most 1: %s", len(tests), tests)
	}
}

// TestOnlyMainReadsTheEnvironment holds that main.go alone reads the command line and
// the environment. All other packages of the product are handed what they need. The
// exporters of OpenTelemetry read its OTEL_* variables themselves: see decision 14.
func TestOnlyMainReadsTheEnvironment(t *testing.T) {
	visitSources(t, func(path, dir string, imports []string) {
		if strings.HasPrefix(dir, "internal/lab/") || dir == "packaging" {
			return
		}
		reads := slices.Contains(imports, "flag") || usesName(t, path, "os", "Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv") ||
			usesName(t, path, "syscall", "Getenv", "Environ")
		switch {
		case reads && path != "main.go":
			t.Errorf("%s reads the command line or the environment: only main.go may", path)
		case !reads && path == "main.go":
			t.Error("main.go does not read the environment: has the place moved?")
		}
	})
}

// usesName reports whether a file uses one of these names of an imported package.
func usesName(t *testing.T, path, imported string, names ...string) bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	local := ""
	for _, i := range file.Imports {
		if i.Path.Value == strconv.Quote(imported) {
			local = imported
			if i.Name != nil {
				local = i.Name.Name
			}
		}
	}
	used := false
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			x, ok := s.X.(*ast.Ident)
			used = used || ok && x.Name == local && slices.Contains(names, s.Sel.Name)
		}
		return true
	})
	return used
}
