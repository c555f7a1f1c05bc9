package main

import (
	"fmt"
	"runtime"

	"github.com/rota-run/rota/internal/build"
)

type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(std stdio) error {
	_, err := fmt.Fprintf(std.out, "rota %s (%s, %s/%s)\n", build.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
