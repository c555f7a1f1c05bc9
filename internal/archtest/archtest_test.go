// Package archtest keeps the rules of docs/architecture.md true: which part may
// import which, and who may read the clock.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rota-run/rota"

// may lists, for each part, the parts that it may import besides itself and
// the root. A package belongs to the longest prefix that matches. Imports point
// inward: cmd → app → ports → adapters → control, runner → policy, auth and the
// ground floor (calendar, cluster, events, gateway, prompt) → the root → the
// standard library. No adapter imports another.
var may = map[string][]string{
	".":                        {},
	"client":                   {},
	"cmd":                      {"client", "internal/app", "internal/build", "internal/settings", "internal/calendar", "internal/zoneinfo"},
	"internal/app":             {"internal/budget", "internal/build", "internal/ports", "internal/cluster", "internal/control", "internal/runner", "internal/responder", "internal/toolbox", "internal/vault", "internal/relay", "internal/auth", "internal/events", "internal/settings", "internal/httpapi", "internal/mcpserver", "internal/console", "internal/engine", "internal/engine/temporal", "internal/limits", "internal/store", "internal/store/postgres", "internal/gateway", "internal/seal", "internal/upkeep", "internal/zoneinfo"},
	"internal/settings":        {},
	"internal/console":         {"internal/control", "internal/auth", "internal/calendar", "internal/zoneinfo"},
	"internal/upkeep":          {},
	"internal/httpapi":         {"internal/budget", "internal/control", "internal/auth", "internal/events"},
	"internal/ports":           {"internal/auth", "internal/control", "internal/runner", "internal/responder", "internal/engine", "internal/limits", "internal/store", "internal/upkeep", "internal/vault"},
	"internal/engine":          {"internal/cluster", "internal/policy"},
	"internal/engine/temporal": {"internal/engine", "internal/policy", "internal/calendar", "internal/cluster"},
	"internal/store":           {"internal/build", "internal/cluster"},
	"internal/cluster":         {},
	"internal/store/postgres":  {"internal/store", "internal/events"}, // it carries events between processes
	"internal/rawjson":         {},
	"internal/relay":           {"internal/events"},
	"internal/responses":       {"internal/rawjson"},
	"internal/limits":          {},
	"internal/mcpserver":       {}, // it knows of the API what its document says
	"internal/gateway":         {"internal/rawjson", "internal/responses"},
	"internal/answer":          {"internal/rawjson", "internal/responses"},
	"internal/responder":       {"internal/answer", "internal/budget", "internal/engine", "internal/events", "internal/gateway", "internal/rawjson", "internal/responses"},
	"internal/control":         {"internal/answer", "internal/rawjson", "internal/responses", "internal/auth", "internal/seal", "internal/events", "internal/policy", "internal/calendar", "internal/prompt"},
	"internal/prompt":          {"internal/zoneinfo"},
	"internal/toolbox":         {"internal/answer", "internal/build", "internal/rawjson", "internal/seal"},
	"internal/vault":           {"internal/seal"},
	"internal/runner":          {"internal/answer", "internal/rawjson", "internal/budget", "internal/events", "internal/gateway", "internal/policy", "internal/prompt", "internal/responses"},
	"internal/policy":          {"internal/calendar"},
	"internal/budget":          {},
	"internal/build":           {},
	"internal/calendar":        {"internal/zoneinfo"},
	"internal/auth":            {"internal/seal"},
	"internal/events":          {},
	"internal/seal":            {},
	"internal/zoneinfo":        {},
	"release":                  {},
	"bench":                    {"client", "internal/answer", "internal/app", "internal/settings", "internal/gateway", "internal/store", "internal/store/postgres", "internal/engine", "internal/engine/temporal", "internal/policy"},
}

// pure packages get the time as an argument.
var pure = []string{".", "internal/calendar", "internal/policy", "internal/control", "internal/store/sqlstore", "internal/cluster", "internal/auth", "internal/events", "internal/rawjson", "internal/responses", "internal/answer"}

func TestImportsPointInward(t *testing.T) {
	each(t, func(t *testing.T, file string, f *ast.File) {
		from := part(path.Dir(file))
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			rest, ours := strings.CutPrefix(name, module)
			rest = strings.TrimPrefix(rest, "/")
			switch {
			case from == "." && strings.Contains(strings.Split(name, "/")[0], "."):
				t.Errorf("%s: the root package imports only the standard library, not %s", file, name)
			case !ours || rest == "" || part(rest) == from:
			case !slices.Contains(may[from], part(rest)):
				t.Errorf("%s: %s may not import %s", file, from, name)
			}
		}
	})
}

func TestTimeIsAnArgument(t *testing.T) {
	each(t, func(t *testing.T, file string, f *ast.File) {
		if !slices.Contains(pure, path.Dir(file)) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			clock := []string{"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker", "Tick", "AfterFunc"}
			if ok && pkg.Name == "time" && slices.Contains(clock, sel.Sel.Name) {
				t.Errorf("%s reads the clock: time.%s", file, sel.Sel.Name)
			}
			return true
		})
	})
}

// each calls fn for every Go file of the product that is not a test, and fails
// if there are none.
func each(t *testing.T, fn func(*testing.T, string, *ast.File)) {
	t.Helper()
	root, n := os.DirFS("../.."), 0
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.IsDir() && (d.Name() == "tools" || d.Name() == "test") {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || strings.HasSuffix(path.Dir(p), "test") {
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, parser.SkipObjectResolution)
		if err == nil {
			n++
			fn(t, p, f)
		}
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("read %d files: %v", n, err)
	}
}

func part(dir string) string {
	for d := dir; ; d = path.Dir(d) {
		if _, ok := may[d]; ok || d == "." {
			return d
		}
	}
}
