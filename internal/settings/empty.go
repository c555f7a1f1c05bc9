package settings

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// NotEmpty returns an error, which begins with the flag, if one of the flags that have
// a variable is set and empty, or only white space, on the command line or in its
// variable: that is a value that somebody forgot, and not a wish for the default.
func NotEmpty(ctx *kong.Context, flags []*kong.Flag) error {
	for _, f := range flags {
		if len(f.Envs) > 0 && isEmpty(ctx, f) {
			return errors.New(empty("--" + f.Name))
		}
	}
	return nil
}

// empty says that a setting must not be.
func empty(name string) string { return name + " must not be empty: leave it out for the default" }

func isEmpty(ctx *kong.Context, f *kong.Flag) bool {
	if slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool { return p.Flag == f && !p.Resolved }) {
		return emptyOnLine(ctx.Args, f)
	}
	value, set := os.LookupEnv(f.Envs[0])
	return set && Secret(value) == ""
}

func emptyOnLine(args []string, f *kong.Flag) bool {
	for i, arg := range args {
		for _, name := range written(f) {
			if value, ok := strings.CutPrefix(arg, name+"="); ok && Secret(value) == "" {
				return true
			}
			if arg == name && !f.IsBool() && i+1 < len(args) && Secret(args[i+1]) == "" {
				return true
			}
		}
	}
	return false
}

// written returns a flag as it stands on the command line.
func written(f *kong.Flag) []string {
	if f.Short == 0 {
		return []string{"--" + f.Name}
	}
	return []string{"--" + f.Name, "-" + string(f.Short)}
}
