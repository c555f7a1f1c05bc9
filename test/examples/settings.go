// Package examples checks the files under examples/: as strictly as the
// programs that read them, and with Rota itself. Its tests are the lint; it is a
// module of its own, for what it needs.
package examples

import (
	"fmt"
	"regexp"
	"slices"
)

// Findings are what is wrong with a file.
type Findings []string

func (f *Findings) unless(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

// A Setting is a row of the table in docs/configuration.md.
type Setting struct{ Env, Default string }

// Settings are what a server of Rota can be told, and how to tell it.
type Settings struct {
	all    []Setting
	binary string // Rota
}

var settingRow = regexp.MustCompile("(?m)^\\| `--[a-z0-9-]+` \\| `(ROTA_[A-Z0-9_]+)` \\| (?:`[a-z0-9_]+`)? ?\\| (?:`([^`]*)`)?")

// ReadSettings reads docs/configuration.md, which is made from the program. The
// binary is that program.
func ReadSettings(page, binary string) (Settings, error) {
	s := Settings{binary: binary}
	for _, row := range settingRow.FindAllStringSubmatch(page, -1) {
		s.all = append(s.all, Setting{Env: row[1], Default: row[2]})
	}
	if row := s.find("ROTA_DRAIN_TIMEOUT"); row == nil || row.Default == "" {
		return s, fmt.Errorf("docs/configuration.md has no table of settings as it was: %d rows were found", len(s.all))
	}
	return s, nil
}

// find returns the setting of an environment variable, or nil.
func (s Settings) find(env string) *Setting {
	i := slices.IndexFunc(s.all, func(r Setting) bool { return r.Env == env })
	if i < 0 {
		return nil
	}
	return &s.all[i]
}
