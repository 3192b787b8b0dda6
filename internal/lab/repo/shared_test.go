package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// separate says of every field that holds many things by a key, in the packages
// that know runs, why two callers cannot meet in it. A new one must be put here
// with its reason; one of secrets that outlives a call has none.
var separate = map[string]string{
	"client.PassThrough.Headers":              oneRequest,
	"client.PassThrough.Query":                oneRequest,
	"client.standings.of":                     byCaller,
	"client/follow.known.newest":              "one reader's, which follows one run for one caller",
	"client.breaker.of":                       "one caller's: see standings",
	"internal/approval.Decider.belongs":       byCaller,
	"internal/approval.Decider.plans":         byCaller,
	"internal/approval.Decider.sent":          byCaller,
	"internal/approval.Decider.shown":         byCaller,
	"internal/attend.Attendant.conversations": byCaller,
	"internal/attend.Attendant.open":          "the questions of all; one is found by its caller's key, and their number is a limit",
	"internal/attend.Attendant.rounds":        byCaller,
	"internal/attend.Sealer.used":             "by texts that are sealed under the caller's key",
	"internal/attend.conversation.topics":     "one caller's: see conversations",
	"internal/bounded.Map.of":                 "what the bounded maps here are made of",
	"internal/approval.Pending.tokens":        "one approval as one caller sees it",
	"internal/approval.Tracker.links":         "one run as one caller sees it",
	"internal/feed.Hub.feeds":                 byCaller,
	"internal/feed.Hub.kept":                  "a limit",
	"internal/prompts.given.values":           oneRequest,
	"internal/redact.Collector.known":         "one call's, or one feed's",
	"tools.Options.PassThrough":               "the operator's; it does not change",
	"tools.createRunArgs.OutputSchema":        oneRequest,
}

const (
	byCaller   = "the caller's key is part of its keys"
	oneRequest = "one request's"
)

// TestNothingIsShared: no package of the product holds anything that changes and
// that two callers share, but limits: no package variable changes, and what is
// kept by a key is kept by the caller's.
func TestNothingIsShared(t *testing.T) {
	seen := map[string]bool{}
	for dir, files := range product(t) {
		variables := map[string]token.Pos{}
		for _, file := range files {
			for _, d := range file.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					for name := range fieldsOfMany(g) {
						if dir != "transport" && !strings.HasPrefix(dir, "transport/") { // which know nothing of runs
							seen[dir+"."+name] = true
						}
					}
					for _, name := range variablesOf(g) {
						variables[name.Name] = name.Pos()
					}
				}
			}
		}
		for _, file := range files {
			for name := range changed(file, variables) {
				t.Errorf("%s: the package variable %s changes: it would be shared by all callers", dir, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if separate[name] == "" {
			t.Errorf("%s keeps many things by a key: say in separate why two callers cannot meet in it", name)
		}
	}
	for name := range separate {
		if !seen[name] {
			t.Errorf("separate has a reason for %s, which is not there", name)
		}
	}
}

// notServing are the packages that serve no callers.
var notServing = regexp.MustCompile(`^internal/(sandbox|inmem|testbed|soak|evals|diagnostic|faults|lab)(/|$)`)

// product returns the files of the packages that serve callers, by folder.
func product(t *testing.T) map[string][]*ast.File {
	files := map[string][]*ast.File{}
	eachFile(t, func(path, dir string, _ []string) {
		if notServing.MatchString(dir) {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[dir] = append(files[dir], file)
	})
	return files
}

// fieldsOfMany yields the fields of struct types that are maps, bounded or not.
func fieldsOfMany(g *ast.GenDecl) map[string]bool {
	found := map[string]bool{}
	for _, spec := range g.Specs {
		typed, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		fields, ok := typed.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			if kind := types.ExprString(f.Type); strings.Contains(kind, "map[") || strings.Contains(kind, "bounded.Map[") || strings.Contains(kind, "sync.Map") {
				for _, name := range f.Names {
					found[typed.Name.Name+"."+name.Name] = true
				}
			}
		}
	}
	return found
}

func variablesOf(g *ast.GenDecl) (names []*ast.Ident) {
	for _, spec := range g.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok && g.Tok == token.VAR {
			names = append(names, v.Names...)
		}
	}
	return names
}

// changed returns the package variables that a file assigns to, increments or
// deletes from, or of which it calls a method that stores.
func changed(file *ast.File, variables map[string]token.Pos) map[string]bool {
	found := map[string]bool{}
	note := func(e ast.Expr) {
		for {
			switch inner := e.(type) {
			case *ast.IndexExpr:
				e = inner.X
				continue
			case *ast.SelectorExpr:
				e = inner.X
				continue
			case *ast.StarExpr:
				e = inner.X
				continue
			case *ast.Ident:
				_, known := variables[inner.Name]
				// A local variable of the same name is declared elsewhere.
				if local := inner.Obj != nil && inner.Obj.Pos() != variables[inner.Name]; known && !local && inner.Name != "_" {
					found[inner.Name] = true
				}
			}
			return
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, to := range n.Lhs {
					note(to)
				}
			}
		case *ast.IncDecStmt:
			note(n.X)
		case *ast.CallExpr:
			switch called := n.Fun.(type) {
			case *ast.Ident:
				if called.Name == "delete" || called.Name == "clear" || called.Name == "copy" {
					note(n.Args[0])
				}
			case *ast.SelectorExpr:
				if slices.Contains([]string{"Store", "Add", "Swap", "Put", "Lock", "Do", "Delete", "LoadOrStore", "CompareAndSwap"}, called.Sel.Name) {
					note(called.X)
				}
			}
		}
		return true
	})
	return found
}
