package zoneinfo

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// systemDirs is where systems keep zone data.
var systemDirs = []string{
	"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo",
}

// maxFile bounds what is read of a file; the largest that there is has some 110 kB.
const maxFile = 1 << 20

// landmark is a zone that all zone data have: it shows in which directory of an
// archive they are.
const landmark = "Etc/UTC"

// Open returns the data at a path: a directory like /usr/share/zoneinfo, or a zip
// file with one in it, such as a wheel of the Python package tzdata. What they
// lack is taken from the built-in data.
func Open(file string) (*Data, error) {
	files, err := openFiles(file)
	if err == nil {
		_, err = fs.Stat(files, landmark)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is neither a directory with zone data, such as /usr/share/zoneinfo, nor a zip file with one: %w", file, err)
	}
	return open(files, Setting, file), nil
}

func openFiles(file string) (fs.FS, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return os.DirFS(file), nil
	}
	archive, err := zip.OpenReader(file) // stays open as long as the process uses it
	if err != nil {
		return nil, err
	}
	for _, f := range archive.File {
		if dir, ok := strings.CutSuffix("/"+f.Name, "/"+landmark); ok {
			return fs.Sub(archive, path.Join(".", dir))
		}
	}
	return nil, errors.Join(fmt.Errorf("it has no %s", landmark), archive.Close())
}

func open(files fs.FS, s Source, file string) *Data {
	zones, links := listed(files)
	d := &Data{Version: versionOf(files), Source: s, Path: file, files: files, links: links, under: own()}
	d.name(slices.Concat(d.under.Names(), zones, slices.Collect(maps.Keys(links))))
	return d
}

// newest returns the built-in data, or those of a directory whose version is newer.
func newest(dirs []string) *Data {
	best := own()
	for _, dir := range dirs {
		files := os.DirFS(dir)
		if newer(versionOf(files), best.Version) {
			best = open(files, System, dir)
		}
	}
	return best
}

func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return b, err
}
