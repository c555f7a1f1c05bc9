package app

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// openZones reads the zone data that the process uses, and logs what sayZones does. The
// error says that those which the operator named cannot be used.
func openZones(log *slog.Logger) error {
	data, err := zoneinfo.Current()
	if err != nil {
		return fmt.Errorf("--zoneinfo: %w", err)
	}
	sayZones(log, data)
	return nil
}

// sayZones logs which zone data the process uses, and what is wrong with them.
func sayZones(log *slog.Logger, data *zoneinfo.Data) {
	log.Info("time zone data", zones(data)...)
	own := zoneinfo.Own().Version
	if data.Older() {
		log.Warn("the time zone data that --zoneinfo names are older than those of this program, or do not say their version: schedules may run an hour early or late",
			append(zones(data), "built_in", own)...)
	}
	if names := data.Lacking(); len(names) > 0 {
		log.Warn("the time zone data lack zones: for those, the data of this program hold", append(zones(data), "built_in", own, "zones", len(names), "such_as", names[0])...)
	}
}

func zones(d *zoneinfo.Data) []any {
	fields := []any{"version", d.Version, "source", d.Source}
	if d.Path != "" {
		fields = append(fields, "path", d.Path)
	}
	return fields
}

// system is what a server of the version says of itself.
func system(version string) rota.SystemInfo {
	s := rota.SystemInfo{Version: version, Commit: build.Commit()}
	if data, err := zoneinfo.Current(); err == nil { // or Run would have ended
		s.ZoneData = rota.ZoneData{Version: data.Version, Source: string(data.Source)}
	}
	return s
}

// madeAfter returns an instant before this program was made: the beginning of the year
// of the zone data that it has.
func madeAfter() time.Time {
	year, err := strconv.Atoi(zoneinfo.Own().Version[:4])
	if err != nil {
		return time.Time{}
	}
	return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
}

// zoneData names the zone data that the process uses, so that others are told from them.
func (p parts) zoneData() string {
	data, err := zoneinfo.Current()
	if err != nil { // Run would have ended
		return ""
	}
	return data.Fingerprint()
}
