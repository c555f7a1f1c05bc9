package calendar

import (
	"os"
	"testing"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// TestMain has the tests use the zone data of the program and not the system's, which
// may be newer.
func TestMain(m *testing.M) {
	os.Setenv(zoneinfo.Variable, "../zoneinfo/builtin.zip")
	os.Exit(m.Run())
}

func cronSpec(expression, zone string) rota.Spec {
	return rota.Spec{Type: rota.Cron, CronExpression: expression, Timezone: zone}
}

func mustParse(tb testing.TB, spec rota.Spec, anchor time.Time) Calendar {
	tb.Helper()
	c, err := Parse(spec, anchor)
	if err != nil {
		tb.Fatalf("Parse(%+v): %v", spec, err)
	}
	return c
}

func mustLoad(tb testing.TB, name string) *time.Location {
	tb.Helper()
	loc, err := loadZone(name)
	if err != nil {
		tb.Fatal(err)
	}
	return loc
}

// instantAt reads a time written in RFC 3339.
func instantAt(tb testing.TB, s string) time.Time {
	tb.Helper()
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}
