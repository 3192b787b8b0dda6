package repo

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// bounded lists the packages whose limits must all be in docs/limits.md.
var bounded = []string{"client", "client/follow", "internal/approval", "internal/audit", "internal/feed", "internal/sandbox", "internal/sse", "internal/telemetry", "internal/toolschema", "internal/view", "resources", "tools", "transport/jsonrpc", "transport/session", "transport/stdio", "transport/streamable"}

// row matches a row of docs/limits.md: what is limited, the limit, what happens beyond it,
// and the name and the file of the limit in the code.
var row = regexp.MustCompile("(?m)^\\| .+ \\| (.+) \\| .+ \\| `(\\w+)` (\\S+) \\|$")

// TestLimitsAreTrue holds that docs/limits.md agrees with the code: every limit that it
// names exists and has the value that it says, and it names every limit.
func TestLimitsAreTrue(t *testing.T) {
	doc, err := os.ReadFile("docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{} // "file name"
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		bound, name, file := m[1], m[2], m[3]
		documented[file+" "+name] = true
		values := readSettings(t, file).values[name]
		if len(values) == 0 {
			t.Errorf("docs/limits.md names %s, but %s gives that name no constant value", name, file)
		}
		for _, v := range values {
			if !containsValue(bound, v) {
				t.Errorf("docs/limits.md says %q for %s in %s, but it is %s", bound, name, file, strings.Join(spellings(v), " or "))
			}
		}
	}
	if rows := strings.Count(string(doc), "\n| ") - 2*strings.Count(string(doc), "\n|---"); len(documented) < rows/2 {
		t.Errorf("only %d of about %d rows have the form of a limit", len(documented), rows)
	}
	for _, dir := range bounded {
		for _, file := range sourcesOf(t, dir) {
			for _, name := range readSettings(t, file).limits {
				if !documented[file+" "+name] {
					t.Errorf("docs/limits.md lacks a row like: | what | bound | what happens beyond | `%s` %s |", name, file)
				}
			}
		}
	}
}

// settings are the constant values in a file.
type settings struct {
	values map[string][]constant.Value // all values of each name
	limits []string                    // the names of limits: constants max…, and defaults of options
}

// readSettings reads a file's settings. A name has a value if it is a constant, has a
// default, is a field of a literal, is assigned to, or is a function that returns it.
func readSettings(t *testing.T, path string) settings {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := settings{values: map[string][]constant.Value{}}
	record := func(name, value ast.Expr) (string, bool) {
		n, v := lastName(name), evaluate(value, s)
		if n == "" || v == nil {
			return "", false
		}
		if !slices.ContainsFunc(s.values[n], func(o constant.Value) bool { return constant.Compare(o, token.EQL, v) }) {
			s.values[n] = append(s.values[n], v)
		}
		return n, true
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ValueSpec:
			for i, name := range node.Names {
				if i < len(node.Values) {
					record(name, node.Values[i])
					if strings.HasPrefix(name.Name, "max") {
						s.limits = append(s.limits, name.Name)
					}
				}
			}
		case *ast.CallExpr:
			if f := lastName(node.Fun); (f == "Or" || f == "setDefault") && len(node.Args) == 2 {
				if n, ok := record(node.Args[0], node.Args[1]); ok {
					s.limits = append(s.limits, n)
				}
			}
		case *ast.KeyValueExpr:
			record(node.Key, node.Value)
		case *ast.AssignStmt:
			if len(node.Lhs) == 1 && len(node.Rhs) == 1 {
				record(node.Lhs[0], node.Rhs[0])
			}
		case *ast.FuncDecl:
			ast.Inspect(node, func(inner ast.Node) bool {
				if r, ok := inner.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					record(node.Name, r.Results[0])
				}
				return true
			})
		}
		return true
	})
	return s
}

// lastName returns the last name of x, x.y or &x.y.
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

// evaluate returns the value of a constant integer expression, with durations in
// nanoseconds. It returns nil for any other expression.
func evaluate(e ast.Expr, known settings) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.INT {
			return constant.MakeFromLiteral(e.Value, e.Kind, 0)
		}
	case *ast.ParenExpr:
		return evaluate(e.X, known)
	case *ast.Ident:
		if v := known.values[e.Name]; len(v) == 1 {
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

// containsValue reports whether a cell contains one of the spellings of a value as a
// separate word.
func containsValue(cell string, v constant.Value) bool {
	return slices.ContainsFunc(spellings(v), func(s string) bool {
		return regexp.MustCompile(`(^|[^\w.,])` + regexp.QuoteMeta(s) + `($|[^\w.,]|[.,]($| ))`).MatchString(cell)
	})
}

// spellings returns the ways to write a value: 16,384; 16 KiB; 90 s; 24 h.
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

// grouped returns a number with a comma before every three digits.
func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// TestRememberedBytes holds that internal/memory plans for the sum of all maps that
// remember something for their callers.
func TestRememberedBytes(t *testing.T) {
	values := map[string]int64{}
	for _, file := range []string{"client/resilience.go", "internal/approval/decider.go", "internal/approval/plan.go",
		"internal/attend/attend.go", "internal/attend/seal.go", "internal/bounded/map.go"} {
		for name, found := range readSettings(t, file).values {
			values[name], _ = constant.Int64Val(found[0])
		}
	}
	sum := 3*values["maxRememberedBytes"] + values["maxPlansBytes"] + values["maxHistoriesBytes"] + values["maxRoundsBytes"] +
		values["maxUsed"]*values["EntryBytes"] + (values["maxAccepted"]+values["maxStrangers"])*values["healthBytes"]
	planned := readSettings(t, "internal/memory/memory.go").values["rememberedBytes"]
	if n, _ := constant.Int64Val(planned[0]); sum > n || sum < n/10*9 {
		t.Errorf("internal/memory plans for %d bytes, but the maps may take %d", n, sum)
	}
}
