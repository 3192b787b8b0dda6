package repo

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// bounded are the packages whose bounds docs/limits.md lists, all of them.
var bounded = []string{"client", "client/follow", "internal/approval", "internal/feed", "internal/sandbox", "internal/sse", "internal/view", "resources", "tools", "transport/jsonrpc", "transport/session", "transport/stdio", "transport/streamable"}

// row is a line of a table of docs/limits.md: what is bounded, the bound, what
// happens beyond it, and the name and the file where the code says so.
var row = regexp.MustCompile("(?m)^\\| .+ \\| (.+) \\| .+ \\| `(\\w+)` (\\S+) \\|$")

// TestLimitsAreTrue holds docs/limits.md to the code: every bound it names is
// there and has the value that it says, and it names every bound.
func TestLimitsAreTrue(t *testing.T) {
	doc, err := os.ReadFile("docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		bound, name, file := m[1], m[2], m[3]
		said[file+" "+name] = true
		values := readSettings(t, file).of[name]
		if len(values) == 0 {
			t.Errorf("docs/limits.md names %s, but %s gives no such name a constant value", name, file)
		}
		for _, v := range values {
			if !spelled(bound, v) {
				t.Errorf("docs/limits.md says %q of %s in %s, which is %s", bound, name, file, strings.Join(spellings(v), " or "))
			}
		}
	}
	if rows := strings.Count(string(doc), "\n| ") - 2*strings.Count(string(doc), "\n|---"); len(said) < rows/2 {
		t.Errorf("only %d of some %d lines were understood", len(said), rows)
	}
	for _, dir := range bounded {
		for _, file := range sources(t, dir) {
			for _, name := range readSettings(t, file).bounds {
				if !said[file+" "+name] {
					t.Errorf("docs/limits.md lacks a line like: | what | bound | what happens beyond | `%s` %s |", name, file)
				}
			}
		}
	}
}

func sources(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

// settings are the constants of a file: what each name is given, and which of
// the names are bounds by their form: constants called max…, and the defaults
// of options that are numbers.
type settings struct {
	of     map[string][]constant.Value
	bounds []string
}

// readSettings reads a file's settings. A name is given a value as a constant,
// as a default, as a field of a literal, by an assignment, or as what a
// function returns.
func readSettings(t *testing.T, path string) settings {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := settings{of: map[string][]constant.Value{}}
	give := func(name ast.Expr, value ast.Expr) (string, bool) {
		n, v := lastName(name), evaluate(value, s)
		if n == "" || v == nil {
			return "", false
		}
		if !slices.ContainsFunc(s.of[n], func(o constant.Value) bool { return constant.Compare(o, token.EQL, v) }) {
			s.of[n] = append(s.of[n], v)
		}
		return n, true
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ValueSpec:
			for i, name := range node.Names {
				if i < len(node.Values) {
					give(name, node.Values[i])
					if strings.HasPrefix(name.Name, "max") {
						s.bounds = append(s.bounds, name.Name)
					}
				}
			}
		case *ast.CallExpr:
			if f := lastName(node.Fun); (f == "Or" || f == "setDefault") && len(node.Args) == 2 {
				if n, ok := give(node.Args[0], node.Args[1]); ok {
					s.bounds = append(s.bounds, n)
				}
			}
		case *ast.KeyValueExpr:
			give(node.Key, node.Value)
		case *ast.AssignStmt:
			if len(node.Lhs) == 1 && len(node.Rhs) == 1 {
				give(node.Lhs[0], node.Rhs[0])
			}
		case *ast.FuncDecl:
			ast.Inspect(node, func(inner ast.Node) bool {
				if r, ok := inner.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					give(node.Name, r.Results[0])
				}
				return true
			})
		}
		return true
	})
	return s
}

// lastName is the name at the end of x, &x.y or x.y.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.UnaryExpr:
		return lastName(e.X)
	}
	return ""
}

// evaluate returns the number that an expression stands for, times in
// nanoseconds as time.Duration has them; nil where it is no constant number.
func evaluate(e ast.Expr, known settings) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.INT {
			return constant.MakeFromLiteral(e.Value, e.Kind, 0)
		}
	case *ast.ParenExpr:
		return evaluate(e.X, known)
	case *ast.Ident:
		if v := known.of[e.Name]; len(v) == 1 {
			return v[0]
		}
	case *ast.SelectorExpr:
		if p, ok := e.X.(*ast.Ident); ok && p.Name == "time" {
			if d, ok := units[e.Sel.Name]; ok {
				return constant.MakeInt64(int64(d))
			}
		}
	case *ast.BinaryExpr:
		x, y := evaluate(e.X, known), evaluate(e.Y, known)
		if x == nil || y == nil {
			return nil
		}
		switch e.Op {
		case token.SHL:
			n, _ := constant.Uint64Val(y)
			return constant.Shift(x, token.SHL, uint(n))
		case token.ADD, token.SUB, token.MUL, token.QUO:
			return constant.BinaryOp(x, e.Op, y)
		}
	}
	return nil
}

var units = map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}

// spelled reports whether a cell holds a value in one of its spellings, as a
// word of its own.
func spelled(cell string, v constant.Value) bool {
	return slices.ContainsFunc(spellings(v), func(s string) bool {
		return regexp.MustCompile(`(^|[^\w.,])` + regexp.QuoteMeta(s) + `($|[^\w.,]|[.,]($| ))`).MatchString(cell)
	})
}

// spellings are the ways to write a value: 16,384; 16 KiB; 90 s; 24 h.
func spellings(v constant.Value) []string {
	n, _ := constant.Int64Val(v)
	forms := []string{grouped(n)}
	for _, unit := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"ms", int64(time.Millisecond)}, {"s", int64(time.Second)}, {"min", int64(time.Minute)}, {"h", int64(time.Hour)}} {
		if n >= unit.size && n%unit.size == 0 {
			forms = append(forms, grouped(n/unit.size)+" "+unit.name)
		}
	}
	return forms
}

// grouped writes a number with a comma before every three digits.
func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
