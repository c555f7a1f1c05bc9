package calendar

import (
	"archive/zip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-run/rota"
)

// TestMain makes package time read the zone data of the Go distribution, which
// is what time/tzdata embeds, and not that of the system.
func TestMain(m *testing.M) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the zone data of the Go distribution is needed:", err)
		os.Exit(1)
	}
	os.Setenv("ZONEINFO", filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	os.Exit(m.Run())
}

// embeddedZones returns the names in the zone data.
func embeddedZones(tb testing.TB) []string {
	tb.Helper()
	z, err := zip.OpenReader(os.Getenv("ZONEINFO"))
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	if len(names) < 500 {
		tb.Fatalf("the zone data has only %d zones", len(names))
	}
	return names
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
