package zoneinfo

import (
	"cmp"
	"io/fs"
	"regexp"
	"strings"
)

const (
	versionFile = "+VERSION"  // as BSD and macOS have it, and the built-in data
	sourceFile  = "tzdata.zi" // all rules as text; its first line names the version
)

var (
	release  = regexp.MustCompile(`^(\d{4})([a-z]+)`)
	zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)
)

// versionOf returns which release the data say they are.
func versionOf(files fs.FS) string {
	text, _ := readFile(files, versionFile)
	if v := release.FindString(strings.TrimSpace(string(text))); v != "" {
		return v
	}
	text, _ = readFile(files, sourceFile)
	line, _, _ := strings.Cut(string(text), "\n")
	line, _ = strings.CutPrefix(line, "# version ")
	return cmp.Or(release.FindString(line), Unknown)
}

// newer reports whether one version is of a later release than another. After
// 2026z comes 2026za. What has no version is not newer than anything.
func newer(a, b string) bool {
	x, y := release.FindStringSubmatch(a), release.FindStringSubmatch(b)
	if x == nil || y == nil {
		return x != nil
	}
	return cmp.Or(cmp.Compare(x[1], y[1]), cmp.Compare(len(x[2]), len(y[2])), cmp.Compare(x[2], y[2])) > 0
}

// listed returns the zones that the data list, and for each other name of a zone
// which one it stands for. In tzdata.zi, that is "Z name …" and "L zone name".
func listed(files fs.FS) (zones []string, links map[string]string) {
	text, _ := readFile(files, sourceFile)
	links = make(map[string]string)
	for line := range strings.Lines(string(text)) {
		switch f := strings.Fields(line); {
		case len(f) > 1 && f[0] == "Z" && zoneName.MatchString(f[1]):
			zones = append(zones, f[1])
		case len(f) == 3 && f[0] == "L" && zoneName.MatchString(f[1]) && zoneName.MatchString(f[2]):
			links[f[2]] = f[1]
		}
	}
	return zones, links
}
