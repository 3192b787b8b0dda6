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

// separate lists every map in a struct field, in the packages that know runs, with the
// reason why two callers do not share its values. A new map needs a row here. No reason
// is good enough for a map of secrets that outlives a call.
var separate = map[string]string{
	"client.PassThrough.Headers":          oneRequest,
	"client.PassThrough.Query":            oneRequest,
	"client.breaker.bySubject":            "one caller's: see client.callers",
	"client.callers.accepted":             byCaller,
	"client.callers.strangers":            byCaller,
	"client.sharedReads.byRun":            byCaller,
	"client/follow.history.newest":        "one reader's, which follows one run for one caller",
	"internal/approval.Decider.plans":     byCaller,
	"internal/approval.Decider.sent":      byCaller,
	"internal/approval.Decider.shown":     byCaller,
	"internal/approval.Decider.tokens":    byCaller,
	"internal/approval.Pending.tokens":    "one approval as one caller sees it",
	"internal/approval.Tracker.byCall":    "one run as one caller sees it",
	"internal/approval.Tracker.byID":      "one run as one caller sees it",
	"internal/approval.Tracker.links":     "one run as one caller sees it",
	"internal/approval.Tracker.pending":   "one run as one caller sees it",
	"internal/attend.Attendant.histories": byCaller,
	"internal/attend.Attendant.open":      "the questions of all; one is found by its caller's key, and their number is a limit",
	"internal/attend.Attendant.rounds":    byCaller,
	"internal/attend.Sealer.used":         "by texts that are sealed under the caller's key",
	"internal/attend.history.records":     "one caller's: see histories",
	"internal/bounded.Map.elements":       "what the bounded maps here are made of",
	"internal/cli.commandLine.values":     "one command line's",
	"internal/feed.Hub.feeds":             byCaller,
	"internal/feed.Hub.pinsOf":            "a limit",
	"internal/prompts.request.values":     oneRequest,
	"internal/redact.Collector.known":     "one call's, or one feed's",
	"client.Stats.Requests":               counted,
	"client.counts.requests":              counted,
	"internal/approval.Decider.counts":    counted,
	"internal/attend.Attendant.asked":     counted,
	"internal/attend.Attendant.outcomes":  counted,
	"internal/attend.Stats.Asked":         counted,
	"internal/attend.Stats.Outcomes":      counted,
	"internal/server.Stats.Decisions":     counted,
	"tools.Options.PassThrough":           "the operator's; it does not change",
	"tools.createRunArgs.OutputSchema":    oneRequest,
}

const (
	byCaller   = "the caller's key is part of its keys"
	oneRequest = "one request's"
	counted    = "numbers for the operator, which nothing acts on"
)

// TestNothingIsShared holds that callers share no state but limits: no package variable
// of the product changes, and every map has a reason in separate.
func TestNothingIsShared(t *testing.T) {
	seen := map[string]bool{}
	for dir, files := range product(t) {
		variables := map[string]token.Pos{}
		for _, file := range files {
			for _, d := range file.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					for name := range mapFields(g) {
						if dir != "transport" && !strings.HasPrefix(dir, "transport/") { // which know nothing of runs
							seen[dir+"."+name] = true
						}
					}
					for _, name := range packageVariables(g) {
						variables[name.Name] = name.Pos()
					}
				}
			}
		}
		for _, file := range files {
			for name := range changedVariables(file, variables) {
				t.Errorf("%s: the package variable %s changes: all callers would share it", dir, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if separate[name] == "" {
			t.Errorf("%s is a map: add it to separate with the reason why two callers do not share its values", name)
		}
	}
	for name := range separate {
		if !seen[name] {
			t.Errorf("separate has a row for %s, but there is no such field", name)
		}
	}
}

// notServing matches the packages that serve no callers.
var notServing = regexp.MustCompile(`^(internal/(sandbox|lab|clients|doctor)|packaging)(/|$)`)

// product returns the parsed files of the packages that serve callers, by folder.
func product(t *testing.T) map[string][]*ast.File {
	files := map[string][]*ast.File{}
	visitSources(t, func(path, dir string, _ []string) {
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

// mapFields returns the struct fields ("type.field") of a declaration that are maps,
// bounded or not.
func mapFields(g *ast.GenDecl) map[string]bool {
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

func packageVariables(g *ast.GenDecl) (names []*ast.Ident) {
	for _, spec := range g.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok && g.Tok == token.VAR {
			names = append(names, v.Names...)
		}
	}
	return names
}

// changedVariables returns the package variables that a file changes: it assigns to
// them, increments them, deletes from them, or calls a method of them that stores.
func changedVariables(file *ast.File, variables map[string]token.Pos) map[string]bool {
	found := map[string]bool{}
	note := func(e ast.Expr) {
		name := rootName(e)
		if name == nil || name.Name == "_" {
			return
		}
		position, known := variables[name.Name]
		local := name.Obj != nil && name.Obj.Pos() != position
		if known && !local {
			found[name.Name] = true
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

// rootName returns the x of x, x.y, x[i] and *x, and of any nesting of them; nil for
// other expressions.
func rootName(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.IndexExpr:
		return rootName(e.X)
	case *ast.SelectorExpr:
		return rootName(e.X)
	case *ast.StarExpr:
		return rootName(e.X)
	}
	return nil
}
