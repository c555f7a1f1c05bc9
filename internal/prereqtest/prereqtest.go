// Package prereqtest is for tests that need a program that a machine may not
// have.
package prereqtest

import (
	"os"
	"os/exec"
	"testing"
)

// Missing skips the test, for want of what err says. In CI, where the variable
// CI is set, it fails the test: what CI does not run, nobody runs.
func Missing(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf("CI must have it: %v", err)
	}
	tb.Skip(err)
}

// Program is [Missing] unless the program is in PATH.
func Program(tb testing.TB, name string) {
	tb.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Missing(tb, err)
	}
}
