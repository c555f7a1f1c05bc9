package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota/internal/settings"
)

func logger(s settings.Settings, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // one of the enum
	if s.Demo && level == slog.LevelInfo {
		level = slog.LevelWarn // the terminal shows the runs
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if s.LogFormat == "json" {
		h = slog.NewJSONHandler(w, o)
	}
	return slog.New(seldom{Handler: h, lately: new(lately)})
}

// sameAgain is how long a warning or an error is not logged again that is the same
// to the letter: what fails is tried again each second.
const sameAgain = time.Minute

// A seldom handler logs no warning or error again that it has just logged.
type seldom struct {
	slog.Handler
	lately *lately
	with   string // the attributes and groups that the logger has
}

// Handle implements [slog.Handler].
func (h seldom) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && h.lately.has(h.with+text(r), r.Time) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h seldom) WithAttrs(attrs []slog.Attr) slog.Handler {
	return seldom{h.Handler.WithAttrs(attrs), h.lately, h.with + fmt.Sprintln(attrs)}
}

// WithGroup implements [slog.Handler].
func (h seldom) WithGroup(name string) slog.Handler {
	return seldom{h.Handler.WithGroup(name), h.lately, h.with + name + "."}
}

// text returns all of a record but its time.
func text(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, "\x00%s", a)
		return true
	})
	return b.String()
}

// lately knows what was logged within a minute. The zero value is usable.
type lately struct {
	mu     sync.Mutex
	logged map[string]time.Time
}

// has reports whether something was logged within a minute before now, and notes
// it if not.
func (l *lately) has(what string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.logged[what]; ok && now.Sub(at) < sameAgain {
		return true
	}
	if len(l.logged) >= 1000 || l.logged == nil {
		l.logged = make(map[string]time.Time) // at worst something is logged once more
	}
	l.logged[what] = now
	return false
}
