package archtest

import (
	"go/ast"
	"slices"
	"testing"
)

// TestSkips: what a machine lacks skips a test through package prereqtest, so
// that it fails in CI. A test that takes long may be skipped by -short, which CI
// does not give.
func TestSkips(t *testing.T) {
	for _, s := range tree(t) {
		switch s.name {
		case "internal/prereqtest/prereqtest.go",
			"test/chaos/chaos_test.go",               // CI runs it by itself
			"test/soak/soak_test.go",                 // the same
			"internal/engine/temporal/times_test.go": // a draw of rapid's
		default:
			broken(t, skips(s))
		}
	}
}

func TestSkipsAreHeld(t *testing.T) {
	const head = "package p\nfunc f(t *testing.T) {\n"
	broken(t, skips(parse(t, "a_test.go", head+"if testing.Short() { t.Skip(`slow`) } }")))
	breaks(t, skips(parse(t, "a_test.go", head+"if true { t.Skip(`slow`) } }")))
	breaks(t, skips(parse(t, "a_test.go", head+"if testing.Short() { f(t) } else { t.SkipNow() } }")))
	breaks(t, skips(parse(t, "a_test.go", head+"t.Skipf(`%d`, 1) }")))
}

func skips(s source) []string {
	var breaches []string
	short := map[ast.Node]bool{} // what runs only with -short
	ast.Inspect(s.file, func(n ast.Node) bool {
		if branch, ok := n.(*ast.IfStmt); ok && isCall(branch.Cond, "Short") {
			short[branch.Body] = true
		}
		if short[n] {
			return false
		}
		if n, ok := n.(*ast.CallExpr); ok && isCall(n, "Skip", "Skipf", "SkipNow") && isTester(n) {
			breaches = append(breaches, s.at(n.Pos())+": skip with package prereqtest, which fails in CI")
		}
		return true
	})
	return breaches
}

// isCall reports whether x calls a method or function with one of the names.
func isCall(x ast.Expr, names ...string) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains(names, sel.Sel.Name)
}

// isTester reports whether it is a call of what by its name is a test.
func isTester(call *ast.CallExpr) bool {
	x, ok := call.Fun.(*ast.SelectorExpr).X.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name)
}
