package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// source is a Go file of the tree; its name is relative to the root.
type source struct {
	name string
	fset *token.FileSet
	file *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// isProduct reports whether the file is of what people get: neither a test nor
// of a package for tests.
func (s source) isProduct() bool {
	top, _, _ := strings.Cut(s.name, "/")
	return !s.isTest() && top != "test" && top != "tools" && !strings.HasSuffix(s.dir(), "test")
}

func (s source) dir() string { return path.Dir(s.name) }

// line returns where a position is.
func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

func (s source) at(p token.Pos) string { return s.fset.Position(p).String() }

// tree returns every Go file of every module, tests too.
func tree(t *testing.T) []source {
	t.Helper()
	var all []source
	fset, root := token.NewFileSet(), os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution|parser.ParseComments)
		all = append(all, source{name, fset, f})
		return err
	})
	if err != nil || len(all) < 100 {
		t.Fatalf("read %d files: %v", len(all), err)
	}
	return all
}

// parse returns a file that has the text.
func parse(t *testing.T, name, text string) source {
	t.Helper()
	return parseIn(t, token.NewFileSet(), name, text)
}

func parseIn(t *testing.T, fset *token.FileSet, name, text string) source {
	t.Helper()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{name, fset, f}
}

// broken fails the test for each breach of a law.
func broken(t *testing.T, breaches []string) {
	t.Helper()
	for _, b := range breaches {
		t.Error(b)
	}
}

// breaks fails the test unless exactly one breach of a law was found.
func breaks(t *testing.T, breaches []string) {
	t.Helper()
	if len(breaches) != 1 {
		t.Errorf("want one breach, got %q", breaches)
	}
}
