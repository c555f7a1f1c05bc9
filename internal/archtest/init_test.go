package archtest

import (
	"go/ast"
	"testing"
)

// TestNoInit: importing a package does nothing.
func TestNoInit(t *testing.T) {
	for _, s := range tree(t) {
		broken(t, inits(s))
	}
}

func TestNoInitIsHeld(t *testing.T) {
	broken(t, inits(parse(t, "a.go", "package p\ntype s struct{}\nfunc (s) init() {}")))
	breaks(t, inits(parse(t, "a.go", "package p\nfunc init() {}")))
}

func inits(s source) []string {
	var breaches []string
	for _, d := range s.file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			breaches = append(breaches, s.at(fn.Pos())+": no init; let the caller do it")
		}
	}
	return breaches
}
