//go:build unix

package app

import "syscall"

// openFiles returns how many files the process may have open; 0 if that has no bound.
// Go has raised the soft limit to the hard one when the process started.
func openFiles() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || l.Cur > 1<<31 {
		return 0
	}
	return int(l.Cur)
}
