package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

const scriptKey = "rk_script_key_that_is_long_enough"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rota": main})
}

// TestScripts runs the scripts in testdata/script against servers of their own.
// Beside what testscript has, they use:
//
//	serve [FLAG…]         start a server; ROTA_SERVER is where it listens
//	stop                  end it with SIGTERM; it must exit with 0
//	exits CODE CMD ARG…   run a command that must end with this exit code
//	until TEXT CMD ARG…   repeat a command until its output has this pattern
//	capture NAME PATTERN  set a variable to the group in the last output
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROTA_BOOTSTRAP_KEY", scriptKey)
			e.Setenv("ROTA_KEY", scriptKey)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // or each command ends a second later
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":   scriptServe,
			"exits":   scriptExits,
			"until":   scriptUntil,
			"capture": scriptCapture,
		},
	})
}

func scriptServe(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("rota", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", ts.MkAbs("data")}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(cmd.Environ(), "ROTA_BOOTSTRAP_KEY="+ts.Getenv("ROTA_BOOTSTRAP_KEY"))
	log, err := os.CreateTemp(ts.Getenv("WORK"), "server-*.log")
	ts.Check(err)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Check(log.Close())
	stop := func(sig syscall.Signal) error {
		_ = cmd.Process.Signal(sig)
		_, _ = io.Copy(io.Discard, out) // until the server has ended
		return cmd.Wait()
	}
	ts.Defer(func() { _ = stop(syscall.SIGKILL) })
	ts.SetCmd("stop", func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(stop(syscall.SIGTERM)) })
	ts.Setenv("ROTA_SERVER", address(ts, out, log.Name()))
}

// address blocks until a server says where it listens.
func address(ts *testscript.TestScript, out io.Reader, log string) string {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Rota listens on "); ok {
			url, _, _ := strings.Cut(rest, " ")
			return url
		}
	}
	ts.Fatalf("the server did not start: %s", ts.ReadFile(log))
	return ""
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitOf(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitOf(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// scriptUntil is ended by the deadline of the tests if the pattern never comes.
func scriptUntil(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	for exitOf(ts, args[1:]); !pattern.MatchString(output(ts)); {
		exitOf(ts, args[1:])
	}
}

// output returns what the last command said.
func output(ts *testscript.TestScript) string { return ts.ReadFile("stdout") + ts.ReadFile("stderr") }

func scriptCapture(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(output(ts))
	if found == nil {
		ts.Fatalf("no %s in the output", args[1])
	}
	ts.Setenv(args[0], found[1])
}
