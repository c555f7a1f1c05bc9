package postgres

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestComplaint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil))
		lines := func() int { return strings.Count(said.String(), "\n") }
		var c complaint
		c.settled(log, "it works")
		require.Zero(t, lines())
		for range 120 {
			c.log(log, "it fails", errors.New("no"))
			time.Sleep(time.Second)
		}
		require.Equal(t, 2, lines(), "once a minute")
		c.log(log, "it fails", errors.New("for another reason"))
		require.Equal(t, 3, lines())
		c.settled(log, "it works")
		c.settled(log, "it works")
		require.Equal(t, 4, lines())
		c.log(log, "it fails", errors.New("for another reason"))
		require.Equal(t, 5, lines(), "that is news")
	})
}
