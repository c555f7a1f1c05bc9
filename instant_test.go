package rota_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestInstantsAreRFC3339(t *testing.T) {
	for _, good := range []string{
		"2026-11-23T05:31:56Z", "2026-11-23t05:31:56.5z", "2026-11-23T05:31:56.123456789-23:59", "2026-11-23T05:31:56+00:00", "0001-01-01T00:00:00Z",
	} {
		require.NoError(t, new(rota.Instant).UnmarshalText([]byte(good)), good)
	}
	for _, bad := range []string{
		"2026-11-23T5:31:56Z", "2026-11-23T05:31:56,5Z", "2026-11-23T05:31:56+24:00", "2026-11-23T05:31:56+05:60", "2026-11-23 05:31:56Z",
		"2026-11-23T05:31:56", "2026-11-23T05:31Z", "2026-11-23T23:59:60Z", "0000-11-23T05:31:56Z", "9999-12-31T23:59:59-01:00", "",
	} {
		require.Error(t, new(rota.Instant).UnmarshalText([]byte(bad)), bad)
	}
}
