// Temporal is a Temporal server for Rota's tests, and for people who try Rota
// with it: all of Temporal's services in one process, on 127.0.0.1, with their
// state in one SQLite file.
//
//	temporal serve -file F -port N   serve until SIGTERM, or until stdin ends
//	temporal times                   what the server's own code makes of specs
//
// It is a module of its own, so that none of what a server needs gets into
// Rota's go.mod. Package temporaltest builds it, keeps it and starts it.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "temporal:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("what to do: serve, or times")
	}
	switch args[0] {
	case "serve":
		return serve(args[1:])
	case "times":
		return times(os.Stdin, os.Stdout)
	default:
		return fmt.Errorf("%q is neither serve nor times", args[0])
	}
}
