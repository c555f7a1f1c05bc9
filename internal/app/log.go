package app

import (
	"context"
	"crypto/sha256"
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
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: bounded}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if s.LogFormat == "json" {
		o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr { return bounded(nil, withUnit(a)) }
		h = slog.NewJSONHandler(w, o)
	}
	return slog.New(seldom{Handler: h, lately: new(lately)})
}

// maxLogged is the most bytes of one value in a line: part of what is logged is
// written by callers and by providers.
const maxLogged = 8 << 10

// bounded shortens a value that is too long for a line.
func bounded(_ []string, a slog.Attr) slog.Attr {
	var s string
	switch v := a.Value.Any().(type) {
	case string:
		s = v
	case error:
		s = v.Error()
	}
	if len(s) > maxLogged {
		a.Value = slog.StringValue(fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:maxLogged], ""), len(s)))
	}
	return a
}

// withUnit writes a duration as 843ms, which JSON would have as a number of
// nanoseconds.
func withUnit(a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
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
	if r.Level >= slog.LevelWarn && h.lately.has(sha256.Sum256([]byte(h.with+text(r))), r.Time) {
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

// lately knows the hashes of what was logged within a minute. The zero value is usable.
type lately struct {
	mu     sync.Mutex
	logged map[[sha256.Size]byte]time.Time
}

// has reports whether something was logged within a minute before now, and notes
// it if not.
func (l *lately) has(what [sha256.Size]byte, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.logged[what]; ok && now.Sub(at) < sameAgain {
		return true
	}
	if len(l.logged) >= 1000 || l.logged == nil {
		l.logged = make(map[[sha256.Size]byte]time.Time) // at worst something is logged once more
	}
	l.logged[what] = now
	return false
}
