package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/zoneinfo"
)

type versionCmd struct{}

// A buildCard is what the program says of itself.
type buildCard struct {
	Version  string   `json:"version"`
	Commit   string   `json:"commit"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	ZoneData zoneCard `json:"zone_data"`
}

type zoneCard struct {
	Version string `json:"version"`
	Source  string `json:"source"`
}

// Run prints two lines, or an object.
func (versionCmd) Run(std stdio, f format) error {
	data, err := zoneinfo.Current()
	if err != nil {
		return usagef("$%s: %w", zoneinfo.Variable, err)
	}
	card := buildCard{
		Version: build.Version(), Commit: build.Commit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		ZoneData: zoneCard{data.Version, string(data.Source)},
	}
	if f.isJSON() {
		raw, err := json.Marshal(card)
		if err != nil {
			return err
		}
		return printJSON(std.out, raw)
	}
	_, err = fmt.Fprintf(std.out, "rota %s (%s%s, %s)\ntime zone data %s (%s)\n",
		card.Version, commitOf(card.Commit), card.Go, card.Platform, card.ZoneData.Version, card.ZoneData.Source)
	return err
}

func commitOf(id string) string {
	if id == "" {
		return ""
	}
	return "commit " + id + ", "
}
