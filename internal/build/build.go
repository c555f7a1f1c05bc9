// Package build says which version of Rota this program is.
package build

import (
	"cmp"
	"runtime/debug"
)

// What make has the linker write here. Without make, as after go install, the
// build itself says it, as far as it knows.
var version, commit string

// Version returns the version, such as v1.2.3; (devel) if the program was built from
// sources that have none, unknown if it says nothing.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "unknown")
	}
	return cmp.Or(version, info.Main.Version, "(devel)")
}

// Commit returns the commit of the sources, with -dirty at its end if they had
// changes; empty if the build did not know it.
func Commit() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	said := make(map[string]string)
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	revision := said["vcs.revision"]
	if revision != "" && said["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return revision
}
