// Command release builds the archives of a release: the program for each platform,
// with completions, manual pages and licences, a list of its modules (CycloneDX), and
// checksums. The same sources, version, commit and time give the same bytes in any
// directory.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// A release is what is to be built, from the sources in root.
type release struct {
	root, out       string
	version, commit string
	at              time.Time // of every file in the archives
}

func main() {
	r := release{root: "."}
	flag.StringVar(&r.out, "out", "dist", "directory for the archives")
	flag.StringVar(&r.version, "version", "", "version that the program says, such as v1.2.3")
	flag.StringVar(&r.commit, "commit", "", "commit that the program says")
	unix := flag.Int64("time", 0, "time of the files in the archives, in seconds since 1970")
	flag.Parse()
	r.at = time.Unix(*unix, 0).UTC()
	if err := r.build([]string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r release) build(platforms []string) error {
	if r.version == "" {
		return errors.New("there is no version; is this a git repository?")
	}
	work, err := os.MkdirTemp("", "rota-release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := errors.Join(os.MkdirAll(r.out, 0o755), r.documents(work)); err != nil {
		return err
	}
	sums := ""
	for _, p := range platforms {
		os, arch, _ := strings.Cut(p, "/")
		sum, err := r.platform(work, os, arch)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		sums += sum
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums), 0o644)
}

// documents writes what is the same on every platform.
func (r release) documents(work string) error {
	program, docs := filepath.Join(work, "host"), filepath.Join(work, "docs")
	if err := errors.Join(r.compile(program, "", ""), os.MkdirAll(filepath.Join(docs, "completions"), 0o755)); err != nil {
		return err
	}
	for shell, file := range map[string]string{"bash": "rota.bash", "zsh": "_rota", "fish": "rota.fish", "powershell": "rota.ps1"} {
		script, err := r.run(nil, program, "completion", shell)
		if err == nil {
			err = os.WriteFile(filepath.Join(docs, "completions", file), script, 0o644)
		}
		if err != nil {
			return err
		}
	}
	for _, file := range []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "examples/systemd/rota.service"} {
		b, err := os.ReadFile(filepath.Join(r.root, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(docs, path.Base(file)), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.run(nil, program, "man", filepath.Join(docs, "man", "man1"))
	return err
}

// compile builds the program; for the machine itself if no platform is named.
func (r release) compile(file, goos, goarch string) error {
	const build = "github.com/rota-run/rota/internal/build"
	stamp := fmt.Sprintf("-s -w -X %s.version=%s -X %s.commit=%s", build, r.version, build, r.commit)
	_, err := r.run([]string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + goarch}, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", stamp, "-o", file, "./cmd/rota")
	return err
}

// platform writes an archive and its list of modules, and returns their checksums.
func (r release) platform(work, goos, goarch string) (string, error) {
	program := filepath.Join(work, goos+"-"+goarch, "rota")
	if err := r.compile(program, goos, goarch); err != nil {
		return "", err
	}
	name := strings.Join([]string{"rota", r.version, goos, goarch}, "_")
	list, err := r.run([]string{"GOOS=", "GOARCH="}, "go", "tool", "-modfile=tools/release/go.mod", "cyclonedx-gomod", "bin", "-json", "-noserial", "-notimestamp", "-std", "-version", r.version, program)
	if err != nil {
		return "", err
	}
	archive, err := r.archive(name, program, filepath.Join(work, "docs"))
	if err != nil {
		return "", err
	}
	sums := ""
	for file, b := range map[string][]byte{name + ".tar.gz": archive, name + ".cdx.json": list} {
		if err := os.WriteFile(filepath.Join(r.out, file), b, 0o644); err != nil {
			return "", err
		}
	}
	for _, part := range []struct {
		file string
		text []byte
	}{{name + ".cdx.json", list}, {name + ".tar.gz", archive}} {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(part.text), part.file)
	}
	return sums, nil
}

// archive packs the program and the documents under a directory of the name.
func (r release) archive(name, program, docs string) ([]byte, error) {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	t := tar.NewWriter(z)
	add := func(file, as string, mode int64) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: path.Join(name, as), Mode: mode, Size: int64(len(text)), ModTime: r.at, Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err = t.Write(text)
		return err
	}
	if err := add(program, "rota", 0o755); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(docs, func(file string, d fs.DirEntry, err error) error { // in the order of names
		if err != nil || d.IsDir() {
			return err
		}
		as, err := filepath.Rel(docs, file)
		return errors.Join(err, add(file, filepath.ToSlash(as), 0o644))
	})
	err = errors.Join(err, t.Close(), z.Close())
	return b.Bytes(), err
}

func (r release) run(env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w\n%s", name, args, err, errs.Bytes())
	}
	return out, nil
}
