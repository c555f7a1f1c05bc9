package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestNoMutableGlobals: a package-level variable of the product keeps the value
// that its declaration gives it. One is mutable if any code, tests too,
//   - assigns to it or to a part of it, or increments it;
//   - deletes from it, clears it, or copies into it;
//   - takes its address or that of a part of it;
//   - or if its type is one of sync or sync/atomic, or has one within.
//
// An error, a compiled pattern, a table, and the function that sync.OnceValue
// returns are not.
func TestNoMutableGlobals(t *testing.T) {
	broken(t, mutated(tree(t)))
}

func TestNoMutableGlobalsIsHeld(t *testing.T) {
	for _, text := range []string{
		"var v int\nfunc f() { v = 1 }",
		"var v int\nfunc f() { v++ }",
		"var v int\nfunc f() { for v = range 3 {} }",
		"var v = map[string]int{}\nfunc f() { v[`a`] = 1 }",
		"var v = map[string]int{}\nfunc f() { delete(v, `a`) }",
		"var v = []int{1}\nfunc f() { clear((v)) }",
		"var v [3]struct{ a []int }\nfunc f() { v[1].a[2]-- }",
		"var v struct{ a int }\nfunc f() *int { return &v.a }",
		"var v = new(int)\nfunc f() { *v = 1 }",
		"import \"sync\"\nvar v sync.Map",
		"import \"sync/atomic\"\nvar v struct { n atomic.Int64 }",
		"import \"sync\"\nvar v = map[string]*sync.Mutex{}",
		"import \"sync\"\nvar v = sync.Mutex{}",
		"import \"sync\"\nvar v = &sync.Pool{}",
	} {
		breaks(t, mutated([]source{parse(t, "a.go", "package p\n"+text)}))
	}
	for _, text := range []string{
		"var v = []int{1}\nfunc f() { v := 2; v++; _ = v }",
		"var v = []int{1}\nfunc f() int { w := v[0]; w = 2; return w }",
		"import \"sync\"\nvar v = sync.OnceValue(f)\nfunc f() int { return 1 }",
		"import \"errors\"\nvar errNone = errors.New(`none`)",
	} {
		broken(t, mutated([]source{parse(t, "a.go", "package p\n"+text)}))
	}
}

func TestMutableGlobalsElsewhere(t *testing.T) {
	fset := token.NewFileSet()
	p := parseIn(t, fset, "p/p.go", "package p\nvar V int")
	inside := parseIn(t, fset, "p/p_test.go", "package p\nfunc f() { V = 1 }")
	outside := parseIn(t, fset, "q/q.go", "package q\nimport \""+module+"/p\"\nfunc f() { p.V = 1 }")
	breaks(t, mutated([]source{p, inside}))
	breaks(t, mutated([]source{p, outside}))
	broken(t, mutated([]source{parse(t, "a_test.go", "package p\nvar v int\nfunc f() { v = 1 }")}))
}

// mutated checks the types of all packages, as far as that goes without the
// packages of others: enough to tell which names mean the same variable.
func mutated(all []source) []string {
	w := &world{sources: all, packages: map[string]*types.Package{}}
	w.info.Uses = map[*ast.Ident]types.Object{}
	w.info.Defs = map[*ast.Ident]types.Object{}
	found := map[string]bool{}
	product := map[string]bool{}
	for _, s := range all {
		w.load(s.dir(), s.file.Name.Name)
		if product[s.name] = s.isProduct(); product[s.name] {
			locks(s, found)
		}
	}
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			for _, x := range touched(n) {
				if v := w.global(x); v != nil && product[s.fset.Position(v.Pos()).Filename] {
					found[s.at(n.Pos())+": the package variable "+v.Name()+" is changed, or can be"] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// touched returns what a node changes, or makes changeable.
func touched(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if fn, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, fn.Name) {
			return n.Args[:1]
		}
	}
	return nil
}

type world struct {
	sources  []source
	packages map[string]*types.Package
	info     types.Info
}

// global returns the package variable that x is or is a part of.
func (w *world) global(x ast.Expr) *types.Var {
	for {
		switch e := x.(type) {
		case *ast.Ident:
			return global(w.info.Uses[e])
		case *ast.SelectorExpr:
			if v := global(w.info.Uses[e.Sel]); v != nil {
				return v
			}
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.SliceExpr:
			x = e.X
		case *ast.StarExpr:
			x = e.X
		case *ast.ParenExpr:
			x = e.X
		default:
			return nil
		}
	}
}

func global(o types.Object) *types.Var {
	if v, ok := o.(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
		return v
	}
	return nil
}

// locks finds variables whose declarations name a type of sync or sync/atomic.
func locks(s source, found map[string]bool) {
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		ast.Inspect(g, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if ok && (pkg.Name == "sync" || pkg.Name == "atomic") && !strings.HasPrefix(sel.Sel.Name, "Once") {
				found[s.at(g.Pos())+": a package variable with a "+pkg.Name+"."+sel.Sel.Name+" is there to be changed"] = true
			}
			return true
		})
	}
}

// load checks the types of a package of the tree.
func (w *world) load(dir, name string) *types.Package {
	key := dir + " " + name
	if p, ok := w.packages[key]; ok {
		return p
	}
	w.packages[key] = nil // a test may import what imports its package
	var fset *token.FileSet
	var files []*ast.File
	for _, s := range w.sources {
		if s.dir() == dir && s.file.Name.Name == name {
			fset, files = s.fset, append(files, s.file)
		}
	}
	if files == nil {
		return nil
	}
	conf := types.Config{Importer: w, Error: func(error) {}}
	p, _ := conf.Check(key, fset, files, &w.info)
	w.packages[key] = p
	return p
}

// Import implements types.Importer.
func (w *world) Import(name string) (*types.Package, error) {
	if dir, ours := strings.CutPrefix(name, module); ours {
		dir = path.Clean(strings.TrimPrefix(dir, "/"))
		if p := w.load(dir, path.Base(name)); p != nil {
			return p, nil
		}
	}
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}
