package app

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/settings"
)

func TestTheSameIsLoggedOnceAMinute(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			log := logger(settings.Settings{LogFormat: format, LogLevel: "info"}, &said)
			lines := func() int {
				defer said.Reset()
				return strings.Count(said.String(), "\n")
			}
			no := errors.New("no")
			for range 120 {
				log.Error("it fails", "err", no)
				log.With("run_id", "a").Warn("it fails", "err", no)
				log.With("run_id", "b").Warn("it fails", "err", no)
				log.WithGroup("c").Warn("it fails", "err", no)
				time.Sleep(time.Second)
			}
			require.Equal(t, 8, lines(), "each twice")
			log.Error("it fails", "err", errors.New("for another reason"))
			log.Error("it fails", "err", slog.GroupValue(slog.Int("code", 1)))
			log.Error("it fails", "err", slog.GroupValue(slog.Int("code", 2)))
			require.Equal(t, 3, lines())
			for range 2 {
				log.Info("it works")
			}
			require.Equal(t, 2, lines(), "only what is wrong is told seldom")
		})
	}
}

func TestWhatWasLoggedIsNotKeptWithoutEnd(t *testing.T) {
	l, now := new(lately), time.Now()
	what := func(i int) (h [sha256.Size]byte) { h[0], h[1] = byte(i), byte(i>>8); return h }
	for i := range 5000 {
		require.False(t, l.has(what(i), now))
		require.LessOrEqual(t, len(l.logged), 1000)
	}
	require.True(t, l.has(what(4999), now))
}

// TestLinesAreBounded: what is logged is written by callers and providers too.
func TestLinesAreBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for _, format := range []string{"text", "json"} {
		var said bytes.Buffer
		log := logger(settings.Settings{LogFormat: format, LogLevel: "debug"}, &said)
		log.With("with", long).Warn(long, "text", long, "err", errors.New(long), "group", slog.GroupValue(slog.String("in", long)))
		require.Less(t, said.Len(), 6*maxLogged)
		require.Equal(t, 5, strings.Count(said.String(), "(2097152 bytes)"))
	}
}

func TestDurationsHaveAUnit(t *testing.T) {
	for format, want := range map[string]string{"text": "again_in=843ms", "json": `"again_in":"843ms"`} {
		var said bytes.Buffer
		logger(settings.Settings{LogFormat: format, LogLevel: "info"}, &said).Info("attempt failed", "again_in", 843*time.Millisecond)
		require.Contains(t, said.String(), want)
	}
}
