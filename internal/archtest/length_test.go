package archtest

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

// The most lines of each; a function's are those from func to its last brace.
const (
	maxFunction     = 45
	maxTestFunction = 90 // in files whose names end in _test.go
	maxFile         = 600
)

func TestLength(t *testing.T) {
	for _, s := range tree(t) {
		broken(t, tooLong(s))
	}
}

func TestLengthIsHeld(t *testing.T) {
	const head = "package p\n\nfunc f() {\n"
	body := func(lines int) string { return strings.Repeat("\tf()\n", lines) + "}\n" }
	broken(t, tooLong(parse(t, "a.go", head+body(maxFunction-2))))
	breaks(t, tooLong(parse(t, "a.go", head+body(maxFunction-1))))
	broken(t, tooLong(parse(t, "a_test.go", head+body(maxTestFunction-2))))
	breaks(t, tooLong(parse(t, "a_test.go", head+body(maxTestFunction-1))))
	broken(t, tooLong(parse(t, "a.go", "package p\n"+strings.Repeat("//\n", maxFile-1))))
	breaks(t, tooLong(parse(t, "a.go", "package p\n"+strings.Repeat("//\n", maxFile))))
}

func tooLong(s source) []string {
	var breaches []string
	if n := s.fset.File(s.file.Pos()).LineCount(); n > maxFile {
		breaches = append(breaches, fmt.Sprintf("%s has %d lines; at most %d", s.name, n, maxFile))
	}
	most := maxFunction
	if s.isTest() {
		most = maxTestFunction
	}
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.line(fn.End()) - s.line(fn.Pos()) + 1; n > most {
			breaches = append(breaches, fmt.Sprintf("%s: %s has %d lines; at most %d", s.at(fn.Pos()), fn.Name.Name, n, most))
		}
	}
	return breaches
}
