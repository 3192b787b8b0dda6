package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// calledByInterface are names of methods that others call through an interface,
// by the interface.
func calledByInterface() map[string]string {
	return map[string]string{
		"Error": "error", "Unwrap": "errors", "String": "fmt.Stringer", "GoString": "fmt.GoStringer",
		"Read": "io.Reader", "Write": "io.Writer", "Close": "io.Closer",
		"ServeHTTP": "http.Handler", "RoundTrip": "http.RoundTripper", "Flush": "http.Flusher", "Header": "http.ResponseWriter", "WriteHeader": "http.ResponseWriter",
		"MarshalJSON": "json.Marshaler", "UnmarshalJSON": "json.Unmarshaler", "UnmarshalText": "encoding.TextUnmarshaler",
		"Enabled": "slog.Handler", "Handle": "slog.Handler", "WithAttrs": "slog.Handler", "WithGroup": "slog.Handler", "LogValue": "slog.LogValuer",
		"Run": "kong commands", "Load": "jsonschema.URLLoader",
		"SessionID": "mcp-go's ClientSession", "Initialize": "mcp-go's ClientSession", "Initialized": "mcp-go's ClientSession", "NotificationChannel": "mcp-go's ClientSession",
		"SetLogLevel": "mcp-go's SessionWithLogging", "GetLogLevel": "mcp-go's SessionWithLogging",
		"GetClientInfo": "mcp-go's SessionWithClientInfo", "SetClientInfo": "mcp-go's SessionWithClientInfo", "GetClientCapabilities": "mcp-go's SessionWithClientInfo", "SetClientCapabilities": "mcp-go's SessionWithClientInfo",
		"RequestElicitation":     "mcp-go's SessionWithElicitation",
		"SubscribeToResourceErr": "mcp-go's SessionWithResourceSubscriptionsErr", "UnsubscribeFromResource": "mcp-go's SessionWithResourceSubscriptions",
		"SubscribeToResource": "mcp-go's SessionWithResourceSubscriptions", "IsSubscribedToResource": "mcp-go's SessionWithResourceSubscriptions",
		"SubscribedResources": "mcp-go's SessionWithResourceSubscriptions", "SetProtocolVersion": "mcp-go's SessionWithProtocolVersion",
		"CompletePromptArgument": "mcp-go's PromptCompletionProvider", "CompleteResourceArgument": "mcp-go's ResourceCompletionProvider",
	}
}

// usedByTests lists exported names that only tests of other packages use, with the
// reason.
func usedByTests() map[string]string {
	const result = "the JSON that clients read"
	return map[string]string{
		"resources.EventPage": result, "resources.IntegrationList": result, "resources.ResultPart": result, "resources.RunPlan": result, "tools.RunList": result,
		"client.EventAuth":            "one of the constants of the contract",
		"client.Kinds":                "tests hold that every kind has its advice",
		"internal/attend.NeedsPerson": "one of the ends of a wait",
		"internal/cli.Version":        "what the version command prints",
		"internal/redact.Withheld":    "what stands for a text that is not shown",
	}
}

// exported is an exported name of a package: "Name", or "Type.Method".
type exported struct{ folder, name string }

// forTests are folders whose packages may export what only tests use.
func forTests(folder string) bool {
	return folder == "internal/sandbox" || strings.HasPrefix(folder, "internal/lab/")
}

// TestNoUnusedExports fails if a package exports what no other package uses
// outside tests. A type counts as used if an exported declaration of its package
// has it, and a constant if its type is exported.
func TestNoUnusedExports(t *testing.T) {
	found, used := readExports(t)
	got := map[string][]string{}
	for e := range found {
		_, method, isMethod := strings.Cut(e.name, ".")
		switch {
		case !isMethod && used[e]:
		case isMethod && (calledByInterface()[method] != "" || usedElsewhere(used, e.folder, method)):
		default:
			got[e.folder] = append(got[e.folder], e.name)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(got)) {
		slices.Sort(got[folder])
		for _, name := range got[folder] {
			if usedByTests()[folder+"."+name] == "" {
				t.Errorf("%s: no other package uses %s outside tests; unexport it", folder, name)
			}
		}
	}
}

// usedElsewhere reports whether another package names a method. Without types it
// cannot tell methods of one name apart.
func usedElsewhere(used map[exported]bool, folder, method string) bool {
	for u := range used {
		if u.folder != folder && (u.name == "."+method || forTests(folder) && u.name == "test."+method) {
			return true
		}
	}
	return false
}

// readExports returns the exported names of all packages, and the names that
// packages use. A use of a method is ".Method", or "test.Method" in a test, under
// the folder that uses it.
func readExports(t *testing.T) (found, used map[exported]bool) {
	found, used = map[exported]bool{}, map[exported]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		isTest := strings.HasSuffix(file, "_test.go")
		addUses(used, folder, parsed, isTest)
		if !isTest && parsed.Name.Name != "main" {
			addExports(found, folder, parsed)
			addExportedTypes(used, folder, parsed)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, used
}

func addExports(found map[exported]bool, folder string, file *ast.File) {
	add := func(prefix string, names ...*ast.Ident) {
		for _, n := range names {
			if n.IsExported() {
				found[exported{folder, prefix + n.Name}] = true
			}
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add("", d.Name)
			} else {
				add(receiverType(d.Recv.List[0].Type)+".", d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					add("", s.Name)
				case *ast.ValueSpec:
					if d.Tok == token.VAR || !isExportedType(s.Type) {
						add("", s.Names...)
					}
				}
			}
		}
	}
}

// addExportedTypes adds the types of a package that its exported functions, fields
// and variables have.
func addExportedTypes(used map[exported]bool, folder string, file *ast.File) {
	addTypes := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			return false
		case *ast.SelectorExpr:
			return false // a type of another package
		case *ast.Field:
			return len(n.Names) == 0 || slices.ContainsFunc(n.Names, (*ast.Ident).IsExported)
		case *ast.Ident:
			used[exported{folder, n.Name}] = true
		}
		return true
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				ast.Inspect(&ast.FuncType{Params: unnamed(d.Type.Params), Results: unnamed(d.Type.Results)}, addTypes)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
					ast.Inspect(s.Type, addTypes)
				}
				if s, ok := spec.(*ast.ValueSpec); ok && s.Names[0].IsExported() && s.Type != nil {
					ast.Inspect(s.Type, addTypes)
				}
			}
		}
	}
}

// unnamed returns a copy of parameters without their names.
func unnamed(list *ast.FieldList) *ast.FieldList {
	types := &ast.FieldList{}
	if list != nil {
		for _, f := range list.List {
			types.List = append(types.List, &ast.Field{Type: f.Type})
		}
	}
	return types
}

func isExportedType(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.IsExported()
}

func receiverType(e ast.Expr) string {
	switch r := e.(type) {
	case *ast.StarExpr:
		return receiverType(r.X)
	case *ast.IndexExpr:
		return receiverType(r.X)
	case *ast.IndexListExpr:
		return receiverType(r.X)
	}
	return e.(*ast.Ident).Name
}

// addUses adds what a file names of other packages.
func addUses(used map[exported]bool, folder string, file *ast.File, isTest bool) {
	prefix := "."
	if isTest {
		prefix = "test."
	}
	imports := map[string]string{} // folders by local name
	for _, i := range file.Imports {
		importPath, _ := strconv.Unquote(i.Path.Value)
		if from, ok := strings.CutPrefix(importPath, module); ok {
			local := path.Base(from)
			if i.Name != nil {
				local = i.Name.Name
			}
			imports[local] = from
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && imports[x.Name] != "" && (!isTest || forTests(imports[x.Name])) {
			used[exported{imports[x.Name], s.Sel.Name}] = true
		}
		used[exported{folder, prefix + s.Sel.Name}] = true
		return true
	})
}
