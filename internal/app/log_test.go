package app

import (
	"bytes"
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
	for i := range 5000 {
		require.False(t, l.has(strings.Repeat("x", i), now))
		require.LessOrEqual(t, len(l.logged), 1000)
	}
	require.True(t, l.has(strings.Repeat("x", 4999), now))
}
