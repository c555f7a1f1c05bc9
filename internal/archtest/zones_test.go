package archtest

import (
	"go/ast"
	"strconv"
	"testing"
)

// TestOneWayToAZone: only internal/zoneinfo turns the name of a time zone into a
// clock. Package time would prefer the system's data, however old they are.
func TestOneWayToAZone(t *testing.T) {
	broken(t, otherZones(tree(t)))
}

func TestOneWayToAZoneIsHeld(t *testing.T) {
	breaks(t, otherZones([]source{parse(t, "internal/a/a.go", "package a\nvar z, _ = time.LoadLocation(`UTC`)")}))
	breaks(t, otherZones([]source{parse(t, "cmd/a/a.go", "package a\nimport _ `time/tzdata`")}))
	broken(t, otherZones([]source{parse(t, "internal/zoneinfo/a.go", "package a\nvar z, _ = time.LoadLocationFromTZData(`UTC`, nil)")}))
}

func otherZones(all []source) (found []string) {
	for _, s := range all {
		if !s.isProduct() || s.dir() == "internal/zoneinfo" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				if name, _ := strconv.Unquote(n.Path.Value); name == "time/tzdata" {
					found = append(found, s.at(n.Pos())+": zone data that are not those of internal/zoneinfo")
				}
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && (n.Sel.Name == "LoadLocation" || n.Sel.Name == "LoadLocationFromTZData") {
					found = append(found, s.at(n.Pos())+": a zone that internal/zoneinfo does not load")
				}
			}
			return true
		})
	}
	return found
}
