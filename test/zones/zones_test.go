// Package zones compares the zone data that Rota carries with a release of the
// Python package tzdata, and moves both to another release: see make zones.
package zones

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
	"github.com/rota-run/rota/internal/zoneinfo"
)

var (
	update = flag.Bool("update", false, "write the built-in zone data from the package that requirements.txt names")
	move   = flag.String("release", "", "with -update: first have requirements.txt name this release of the package, such as 2026.6; newest for the newest")
)

const (
	carried = "../../internal/zoneinfo/builtin.zip"
	pin     = "requirements.txt"
)

// wheel downloads the package in the release that is pinned, whose hash pip checks.
func wheel(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	pip(t, "python3", append([]string{"download", "--no-deps", "--only-binary=:all:", "--dest", dir}, args...)...)
	all, err := filepath.Glob(filepath.Join(dir, "tzdata-*.whl"))
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

func pip(t *testing.T, python string, args ...string) {
	t.Helper()
	out, err := exec.Command(python, append([]string{"-m", "pip", "--quiet", "--disable-pip-version-check"}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func needPython(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("installs a package")
	}
	if err := exec.Command("python3", "-c", "import pip, venv, ensurepip, zoneinfo").Run(); err != nil {
		prereqtest.Missing(t, errors.New("the zone data are not compared: there is no Python 3.9 or newer with the modules pip and venv"))
	}
}

// TestCarried: the program carries the zones of the release that is pinned, byte for
// byte, and its name.
func TestCarried(t *testing.T) {
	needPython(t)
	if *update && *move != "" {
		repin(t)
	}
	want := release(t, wheel(t, "--require-hashes", "--requirement", pin))
	if *update {
		require.NoError(t, os.WriteFile(carried, archive(t, want), 0o644))
	}
	b, err := os.ReadFile(carried)
	require.NoError(t, err)
	require.Equal(t, want, contents(t, b), "run make zones")
}

// repin has the pin name another release.
func repin(t *testing.T) {
	t.Helper()
	name := "tzdata"
	if *move != "newest" {
		name += "==" + *move
	}
	file := wheel(t, name)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	sum := sha256.Sum256(b)
	version := strings.Split(filepath.Base(file), "-")[1]
	line := fmt.Sprintf("tzdata==%s --hash=sha256:%s\n", version, hex.EncodeToString(sum[:]))
	require.NoError(t, os.WriteFile(pin, []byte(line), 0o644))
}

// release returns what the program is to carry of a wheel: the files of the zones
// that it lists, and one that names the release.
func release(t *testing.T, file string) map[string][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	all := contents(t, b)
	const in = "tzdata/zoneinfo/"
	version, _, _ := strings.Cut(strings.TrimPrefix(string(all[in+"tzdata.zi"]), "# version "), "\n")
	files := map[string][]byte{"+VERSION": []byte(version + "\n")}
	for _, name := range strings.Fields(string(all["tzdata/zones"])) {
		files[name] = all[in+name]
	}
	return files
}

func contents(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	files := make(map[string][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return files
}

// archive returns the same bytes for the same files.
func archive(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, name := range sorted(files) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		require.NoError(t, err)
		_, err = w.Write(files[name])
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func sorted[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

//go:embed offsets.py
var script string

// A change is the second from which a clock has another offset, and the offset.
type change [2]int64

// TestClocks: for two years from the release on, the clocks of all zones run as
// Python has them run by the package, which it installs.
func TestClocks(t *testing.T) {
	needPython(t)
	own := zoneinfo.Own()
	year, err := strconv.Atoi(own.Version[:4])
	require.NoError(t, err, own.Version)
	var python struct {
		Version string
		Zones   map[string][]change
	}
	require.NoError(t, json.Unmarshal(askPython(t, year, year+2), &python))

	require.Equal(t, python.Version, own.Version)
	require.Equal(t, sorted(python.Zones), own.Names())
	require.Greater(t, len(python.Zones), 500)
	all := 0
	for name, want := range python.Zones {
		loc, err := own.Load(name)
		require.NoError(t, err, name)
		require.Equal(t, want, changes(loc, year, year+2), name)
		all += len(want) - 1
	}
	t.Logf("%s: %d zones with %d changes from %d to %d", own.Version, len(python.Zones), all, year, year+2)
	require.Greater(t, all, 500)
}

func askPython(t *testing.T, first, last int) []byte {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("python3", "-m", "venv", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	python := filepath.Join(dir, "bin", "python")
	pip(t, python, "install", "--require-hashes", "--requirement", pin)
	cmd := exec.Command(python, "-c", script, strconv.Itoa(first), strconv.Itoa(last))
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	require.NoError(t, err)
	return answer
}

// changes returns what offsets.py does.
func changes(loc *time.Location, first, last int) []change {
	const step = 6 * 3600
	offset := func(t int64) int64 {
		_, o := time.Unix(t, 0).In(loc).Zone()
		return int64(o)
	}
	begin := time.Date(first, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	end := time.Date(last+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	all := []change{{begin, offset(begin)}}
	for t := begin + step; t <= end; t += step {
		before, after := all[len(all)-1][1], offset(t)
		if after == before {
			continue
		}
		low, high := t-step, t
		for high-low > 1 {
			if middle := (low + high) / 2; offset(middle) == before {
				low = middle
			} else {
				high = middle
			}
		}
		all = append(all, change{high, after})
	}
	return all
}
