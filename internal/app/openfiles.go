package app

import (
	"log/slog"
	"runtime"

	"github.com/rota-run/rota/internal/settings"
)

const (
	// filesBeside is how many files a process needs beside its connections: the
	// database, its logs, what it reads now and then.
	filesBeside = 32

	// mostConnections is how many connections there may be at once, unless the settings
	// say otherwise, however many files may be opened: each costs memory.
	mostConnections = 4096

	fewest = 4 // of anything, however few files may be opened
)

// fitFiles returns the settings with what a process may have open at once: files for the
// database and logs come first, the rest is for runs and callers. What the settings ask
// for beyond that is made less, with a warning. A limit of 0 is none.
func fitFiles(s settings.Settings, limit int, log *slog.Logger) settings.Settings {
	if limit == 0 {
		if s.MaxConnections == 0 {
			s.MaxConnections = mostConnections
		}
		return s
	}
	spare := limit - filesBeside
	if _, ok := s.SQLite(); !ok {
		spare -= max(8, 2*runtime.NumCPU(), s.DatabasePoolSize)
	}
	runs := min(s.MaxConcurrentRuns, max(fewest, spare/2))
	if runs < s.MaxConcurrentRuns {
		log.Warn("this process may open too few files for --max-concurrent-runs: raise the limit (ulimit -n, LimitNOFILE)", "limit", limit, "runs", runs)
	}
	connections := max(fewest, spare-runs)
	if s.MaxConnections > connections {
		log.Warn("this process may open too few files for --max-connections: raise the limit (ulimit -n, LimitNOFILE)", "limit", limit, "connections", connections)
	}
	if s.MaxConnections == 0 {
		s.MaxConnections = mostConnections
	}
	s.MaxConcurrentRuns, s.MaxConnections = runs, min(s.MaxConnections, connections)
	return s
}
