// Package build says which version of Rota this program is.
package build

import (
	"cmp"
	"runtime/debug"
)

// Version returns what the build says of itself, such as v1.2.3; (devel) if it
// was built from sources that have no version, unknown if it says nothing.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
