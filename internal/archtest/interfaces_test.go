package archtest

import (
	"go/ast"
	"path"
	"strconv"
	"strings"
	"testing"
)

// maxMethods bounds the methods of an interface, those of embedded ones counted.
// One that has more lists what somebody can do, and not what somebody needs.
const maxMethods = 8

// methodsElsewhere counts the methods of interfaces that are embedded here and
// declared outside of the module.
var methodsElsewhere = map[string]int{"error": 1, "comparable": 0, "any": 0, "io.Closer": 1}

// An iface is an interface type, and the file that it stands in.
type iface struct {
	*ast.InterfaceType
	file    string
	imports map[string]string // package name to its directory here, or its path
}

func TestInterfacesAreSmall(t *testing.T) {
	named := make(map[string]iface) // by directory and name
	var all []iface
	each(t, func(_ *testing.T, file string, f *ast.File) {
		imports := importsOf(f)
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if it, ok := n.Type.(*ast.InterfaceType); ok {
					named[path.Dir(file)+"."+n.Name.Name] = iface{it, file, imports}
				}
			case *ast.InterfaceType:
				all = append(all, iface{n, file, imports})
			}
			return true
		})
	})
	for _, i := range all {
		if n := i.methods(t, named); n > maxMethods {
			t.Errorf("%s: an interface has %d methods, more than %d: ask for what is needed", i.file, n, maxMethods)
		}
	}
}

// methods counts the methods of an interface, and those of the ones it embeds.
func (i iface) methods(t *testing.T, named map[string]iface) (n int) {
	for _, field := range i.Methods.List {
		if len(field.Names) > 0 {
			n += len(field.Names)
			continue
		}
		here, there := "", ""
		switch e := field.Type.(type) {
		case *ast.Ident:
			here, there = path.Dir(i.file)+"."+e.Name, e.Name
		case *ast.SelectorExpr:
			pkg := e.X.(*ast.Ident).Name
			here, there = i.imports[pkg]+"."+e.Sel.Name, pkg+"."+e.Sel.Name
		default: // a union of types has no methods
			continue
		}
		count, known := methodsElsewhere[there]
		if in, ours := named[here]; ours {
			count, known = in.methods(t, named), true
		}
		if !known {
			t.Errorf("%s embeds %s: note in methodsElsewhere how many methods that has", i.file, there)
		}
		n += count
	}
	return n
}

func importsOf(f *ast.File) map[string]string {
	imports := make(map[string]string)
	for _, imp := range f.Imports {
		p, _ := strconv.Unquote(imp.Path.Value)
		dir := strings.TrimPrefix(strings.TrimPrefix(p, module), "/")
		if p == module {
			dir = "."
		}
		name := path.Base(p)
		if imp.Name != nil {
			name = imp.Name.Name
		}
		imports[name] = dir
	}
	return imports
}
