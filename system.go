package rota

// SystemInfo is what a server says of itself.
type SystemInfo struct {
	Object   string   `json:"object" enum:"system"`
	Version  string   `json:"version" doc:"Of Rota, such as v1.2.3; (devel) or a version with a date if it was built from sources between releases."`
	Commit   string   `json:"commit" doc:"Of the sources that it was built from; empty if the build did not know it."`
	Time     Instant  `json:"time" doc:"What the clock of the server shows."`
	ZoneData ZoneData `json:"zone_data" doc:"The rules of time zones by which schedules run."`
}

// ZoneData says which rules of time zones a program uses.
type ZoneData struct {
	Version string `json:"version" doc:"The release of the IANA time zone database, such as 2026f; unknown if the data do not say."`
	Source  string `json:"source" doc:"built-in: of the program; system: of its machine, if those are newer; setting: named by the operator."`
}
