// Package zoneinfo is the zone data that this process uses: the one place where
// names of time zones become clocks. It carries a release of the IANA database,
// and uses the system's instead if that is newer.
package zoneinfo

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// Variable names the environment variable that, if it is not empty, says what to
// use instead of the built-in and the system's data: see [Open].
const Variable = "ROTA_ZONEINFO"

// A Source says where zone data come from.
type Source string

// The sources.
const (
	BuiltIn Source = "built-in" // of the program
	System  Source = "system"   // of the operating system
	Setting Source = "setting"  // named by ROTA_ZONEINFO
)

// Unknown is the version of data that do not say which one they are.
const Unknown = "unknown"

// ErrNoZone says that no zone has the name.
var ErrNoZone = errors.New("no such time zone")

// Data is the zones of one release. It is safe for concurrent use.
type Data struct {
	Version string // such as 2026f, or Unknown
	Source  Source
	Path    string // empty if they are built-in

	files fs.FS
	links map[string]string // the zone that another name of it stands for, as far as the data say
	zones map[string]func() (*time.Location, error)
	under *Data // has what these data lack; nil for the built-in
}

// Current returns the data that this process uses: those that [Variable] names, or
// else the newer of the built-in and the system's. The first call reads them;
// what the variable and the system say later changes nothing. The error says that
// the data which the variable names cannot be used.
func Current() (*Data, error) { return current() }

var current = sync.OnceValues(func() (*Data, error) {
	if path := os.Getenv(Variable); path != "" {
		return Open(path)
	}
	return newest(systemDirs), nil
})

// Load returns the zone of an IANA name, in exactly that spelling, from the data
// of [Current]. An empty name means UTC. The error is ErrNoZone if there is none
// of that name. The first use of a zone reads its file.
func Load(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	d, err := Current()
	if err != nil {
		return nil, err
	}
	return d.Load(name)
}

// Own returns the built-in data.
func Own() *Data { return own() }

//go:embed builtin.zip
var builtin []byte

var own = sync.OnceValue(func() *Data {
	files, err := zip.NewReader(bytes.NewReader(builtin), int64(len(builtin)))
	if err != nil {
		panic(fmt.Errorf("the built-in zone data: %w", err)) // it depends on nothing but the program
	}
	d := &Data{Version: versionOf(files), Source: BuiltIn, files: files}
	var names []string
	for _, f := range files.File {
		if f.Name != versionFile {
			names = append(names, f.Name)
		}
	}
	d.name(names)
	return d
})

// name says which zones the data have.
func (d *Data) name(names []string) {
	d.zones = make(map[string]func() (*time.Location, error), len(names))
	for _, name := range names {
		d.zones[name] = sync.OnceValues(func() (*time.Location, error) { return d.read(name) })
	}
}

// Load is like the function Load, with these data.
func (d *Data) Load(name string) (*time.Location, error) {
	load, known := d.zones[name]
	if !known {
		return nil, ErrNoZone
	}
	return load()
}

// Names returns the names of all zones, in order.
func (d *Data) Names() []string { return slices.Sorted(maps.Keys(d.zones)) }

// Older reports whether the data are of an earlier release than the built-in, or
// do not say of which.
func (d *Data) Older() bool { return newer(Own().Version, d.Version) }

// Lacking returns the zones that the built-in data have and these lack, or have in
// a form that cannot be read. Their clocks are those of the built-in data. It reads
// every zone.
func (d *Data) Lacking() []string {
	if d.under == nil {
		return nil
	}
	var names []string
	for _, name := range d.under.Names() {
		if _, err := d.parse(name); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// read returns a zone from these data or, if they do not have it, from the built-in.
func (d *Data) read(name string) (*time.Location, error) {
	loc, err := d.parse(name)
	if err != nil && d.under != nil {
		return d.under.Load(name)
	}
	return loc, err
}

func (d *Data) parse(name string) (*time.Location, error) {
	b, err := d.file(name)
	if err != nil {
		return nil, err
	}
	return time.LoadLocationFromTZData(name, b)
}

// file returns what these data have on a zone.
func (d *Data) file(name string) ([]byte, error) {
	b, err := readFile(d.files, name)
	if target := d.links[name]; err != nil && target != "" { // Debian has old names in a package of their own
		return readFile(d.files, target)
	}
	return b, err
}

// Fingerprint tells these data from others: their version, and a hash of all that they
// say of zones. It reads the file of every zone.
func (d *Data) Fingerprint() string {
	sum := sha256.New()
	if d.under == nil {
		sum.Write(builtin)
	} else {
		fmt.Fprintln(sum, d.under.Fingerprint())
		for _, name := range d.Names() {
			b, _ := d.file(name) // without one, the clock is that of the built-in data
			fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
		}
	}
	return fmt.Sprintf("%s-%x", d.Version, sum.Sum(nil)[:8])
}
