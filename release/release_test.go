package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write NOTICE")

// TestNoticeGolden: NOTICE has the licences of all modules that the program is made of.
func TestNoticeGolden(t *testing.T) {
	if testing.Short() {
		t.Skip("lists the program's packages on four platforms")
	}
	want, err := release{root: ".."}.notice([]string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"})
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("../NOTICE", []byte(want), 0o644))
	}
	got, err := os.ReadFile("../NOTICE")
	require.NoError(t, err)
	require.True(t, want == string(got), "NOTICE is not that of the modules in use: run make golden")
}

// TestReproducible: two builds in two directories give the same bytes.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program four times")
	}
	var first map[string][]byte
	for range 2 {
		r := release{root: checkout(t), out: t.TempDir(), version: "v1.2.3", commit: "0123abc", at: time.Unix(1_800_000_000, 0)}
		require.NoError(t, r.build([]string{"linux/amd64"}))
		files := contents(t, r.out)
		require.Len(t, files, 3)
		if first == nil {
			first = files
		}
		for name := range first {
			require.True(t, bytes.Equal(first[name], files[name]), name)
		}
	}
	const name = "rota_v1.2.3_linux_amd64"
	require.Contains(t, string(first[name+".cdx.json"]), "pkg:golang/modernc.org/sqlite@")
	packed := unpack(t, first[name+".tar.gz"])
	for _, want := range []string{"rota", "LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "rota.service", "completions/rota.bash", "completions/_rota", "completions/rota.fish", "completions/rota.ps1", "man/man1/rota.1", "man/man1/rota-agents-create.1"} {
		require.NotEmpty(t, packed[name+"/"+want], want)
	}
	program := filepath.Join(t.TempDir(), "rota")
	require.NoError(t, os.WriteFile(program, packed[name+"/rota"], 0o755))
	out, err := exec.Command(program, "--version").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "rota v1.2.3 (commit 0123abc, ")
}

// checkout copies what git has to a directory of its own.
func checkout(t *testing.T) string {
	t.Helper()
	list, err := exec.Command("git", "-C", "..", "ls-files").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range strings.Fields(string(list)) {
		b, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	return dir
}

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range list {
		files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
	}
	return files
}

func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	require.NoError(t, err)
	files, r := make(map[string][]byte), tar.NewReader(z)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		files[h.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}
