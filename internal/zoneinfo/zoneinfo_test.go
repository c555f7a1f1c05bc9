package zoneinfo

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheBuiltInData(t *testing.T) {
	d := Own()
	require.Regexp(t, `^20(2[6-9]|[3-9]\d)[a-z]+$`, d.Version, "of 2026 or later")
	require.Equal(t, BuiltIn, d.Source)
	require.Empty(t, d.Lacking())
	require.False(t, d.Older())
	require.Greater(t, len(d.Names()), 590)
	for _, name := range d.Names() {
		loc, err := d.Load(name)
		require.NoError(t, err)
		require.Equal(t, name, loc.String())
	}
}

// TestRulesOf2026: clocks that stopped being changed in 2026.
func TestRulesOf2026(t *testing.T) {
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]int{
		"America/Vancouver": -7, "Canada/Pacific": -7, "America/Edmonton": -6, "America/Winnipeg": -5, "Africa/Casablanca": 0, "America/Havana": -4,
		"US/Pacific": -8, "Europe/Madrid": 1, // which did not
	} {
		loc, err := Own().Load(name)
		require.NoError(t, err)
		_, offset := at.In(loc).Zone()
		require.Equal(t, want*3600, offset, name)
	}
}

func TestOnlyNamesOfZones(t *testing.T) {
	for _, name := range []string{
		"Local", "local", "localtime", "europe/madrid", "Europe/Madrid/", "/Europe/Madrid", "Europe/../Europe/Madrid", "../Etc/UTC", "Europe",
		"posix/UTC", "right/UTC", "tzdata.zi", "+VERSION", "leapseconds", "EDT", ".", "Europe\\Madrid", "Europe/Madrid\x00",
	} {
		for _, d := range []*Data{Own(), newest([]string{sysroot(t, "9999a", nil)})} {
			_, err := d.Load(name)
			require.ErrorIs(t, err, ErrNoZone, "%q", name)
		}
	}
	for _, name := range []string{"", "UTC"} {
		loc, err := Load(name)
		require.NoError(t, err)
		require.Equal(t, time.UTC, loc)
	}
}

// zoneOf returns the built-in file of a zone.
func zoneOf(t *testing.T, name string) []byte {
	t.Helper()
	b, err := readFile(Own().files, name)
	require.NoError(t, err)
	return b
}

// sysroot makes a directory like /usr/share/zoneinfo in which every zone has the
// clock of Tokyo, so that it shows where a clock comes from. Files are put over that.
func sysroot(t *testing.T, version string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"tzdata.zi": "# version " + version + "\n# comment\nR x 1916\nZ Europe/Madrid 1 - CET\nZ Moon/Base 0 - MST\nL Europe/Madrid Moon/Old\nZ ../etc/passwd 0\nL Etc/UTC /abs\n"}
	for _, name := range []string{"Etc/UTC", "Europe/Madrid", "Moon/Base", "localtime", "posix/UTC"} {
		all[name] = string(zoneOf(t, "Asia/Tokyo"))
	}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		if text == "" {
			continue
		}
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return dir
}

func offset(t *testing.T, d *Data, name string) time.Duration {
	t.Helper()
	loc, err := d.Load(name)
	require.NoError(t, err)
	require.Equal(t, name, loc.String())
	_, seconds := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC).In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

// TestTheNewerIsUsed: of the built-in data and the system's.
func TestTheNewerIsUsed(t *testing.T) {
	own := Own().Version
	none := map[string]string{"tzdata.zi": ""}
	for _, test := range []struct {
		dirs []string
		want string
	}{
		{nil, own},
		{[]string{"/nowhere"}, own},
		{[]string{sysroot(t, "2025b", nil)}, own},
		{[]string{sysroot(t, own, nil)}, own},
		{[]string{sysroot(t, "9998b", nil)}, "9998b"},
		{[]string{sysroot(t, "9998b", nil), sysroot(t, "9999a", nil), sysroot(t, "2020a", nil)}, "9999a"},
		{[]string{sysroot(t, "9999a-12-gabcdef", nil)}, "9999a"},
		{[]string{sysroot(t, "unknown", nil)}, own},
		{[]string{sysroot(t, "", none)}, own},
		{[]string{sysroot(t, "9999a", map[string]string{"tzdata.zi": "", "+VERSION": "9997c\n"})}, "9997c"},
		{[]string{sysroot(t, "9999a", map[string]string{"tzdata.zi": strings.Repeat("x", maxFile+1)})}, own},
	} {
		d := newest(test.dirs)
		require.Equal(t, test.want, d.Version)
		require.Equal(t, test.want == own, d.Source == BuiltIn)
		require.False(t, d.Older())
		want := 9 * time.Hour
		if test.want == own {
			want = time.Hour
		}
		require.Equal(t, want, offset(t, d, "Europe/Madrid"))
	}
}

func TestVersions(t *testing.T) {
	order := []string{Unknown, "1999z", "2025b", "2025c", "2026a", "2026z", "2026za", "2027a"}
	for i, a := range order {
		for j, b := range order {
			require.Equal(t, i > j, newer(a, b), "%s, %s", a, b)
		}
	}
}

// TestWhatNewerDataLack is taken from the built-in data, so that no schedule loses
// its zone; another name of a zone is looked for under the zone's own first.
func TestWhatNewerDataLack(t *testing.T) {
	d := newest([]string{sysroot(t, "9999a", map[string]string{"Europe/Paris": "TZif damaged"})})
	require.Equal(t, -8*time.Hour, offset(t, d, "US/Pacific"))
	require.Equal(t, time.Hour, offset(t, d, "Europe/Paris"))
	require.Equal(t, 9*time.Hour, offset(t, d, "Moon/Old"), "that of Europe/Madrid")
	lacking := d.Lacking()
	require.Contains(t, lacking, "US/Pacific")
	require.Contains(t, lacking, "Europe/Paris")
	require.NotContains(t, lacking, "Europe/Madrid")
}

func TestNewerDataBringNewZones(t *testing.T) {
	d := newest([]string{sysroot(t, "9999a", nil)})
	require.Equal(t, 9*time.Hour, offset(t, d, "Moon/Base"))
	require.True(t, slices.IsSorted(d.Names()))
	require.Contains(t, d.Names(), "Moon/Base")
	require.NotContains(t, d.Names(), "../etc/passwd")
	require.NotContains(t, d.Names(), "/abs")
}

func TestOpen(t *testing.T) {
	dir := sysroot(t, "2025b", nil)
	d, err := Open(dir)
	require.NoError(t, err)
	require.Equal(t, []any{"2025b", Setting, dir, true}, []any{d.Version, d.Source, d.Path, d.Older()})
	require.Equal(t, 9*time.Hour, offset(t, d, "Europe/Madrid"), "it is used though it is older")

	for _, in := range []string{"", "zoneinfo/", "tzdata/zoneinfo/"} {
		d, err := Open(zipped(t, dir, in))
		require.NoError(t, err)
		require.Equal(t, "2025b", d.Version)
		require.Equal(t, 9*time.Hour, offset(t, d, "Europe/Madrid"))
		require.Equal(t, -8*time.Hour, offset(t, d, "US/Pacific"))
	}

	text := filepath.Join(dir, "tzdata.zi")
	for _, path := range []string{"/nowhere", t.TempDir(), text, zipped(t, filepath.Join(dir, "posix"), "")} {
		_, err := Open(path)
		require.ErrorContains(t, err, path+" is neither a directory with zone data")
	}
}

// zipped packs a directory under a prefix.
func zipped(t *testing.T, dir, prefix string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "data.zip"))
	require.NoError(t, err)
	defer f.Close()
	z := zip.NewWriter(f)
	files := fstest.MapFS{}
	require.NoError(t, filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		b, err := os.ReadFile(p)
		files[prefix+filepath.ToSlash(name)] = &fstest.MapFile{Data: b}
		return err
	}))
	require.NoError(t, z.AddFS(files))
	require.NoError(t, z.Close())
	return f.Name()
}

func TestFingerprintsTellDataApart(t *testing.T) {
	kept := Own().Fingerprint()
	require.Regexp(t, `^20\d\d[a-z]+-[0-9a-f]{16}$`, kept)
	require.Equal(t, kept, Own().Fingerprint())
	prints := map[string]bool{kept: true}
	for _, clock := range []string{"Europe/Berlin", "Europe/Madrid"} {
		dir := sysroot(t, "2027a", map[string]string{"Etc/UTC": string(zoneOf(t, "Etc/UTC")), "Asia/Kathmandu": string(zoneOf(t, clock))})
		d, err := Open(dir)
		require.NoError(t, err)
		prints[d.Fingerprint()] = true
	}
	require.Len(t, prints, 3)
}

func BenchmarkFingerprint(b *testing.B) {
	for b.Loop() {
		Own().Fingerprint()
	}
}
