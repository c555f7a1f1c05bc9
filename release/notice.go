package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const noticeHead = `Rota is licensed under the Apache License 2.0; see LICENSE.

The program has the time zone data of the IANA Time Zone Database, which are in the public domain, and these modules, whose
licences and notices follow:

`

var legal = regexp.MustCompile(`(?i)^[^.]*(licen[cs]e|copying|notice|patents)[^.]*(\.(md|txt))?$`)

// notice returns the licences and notices of everything that the program is made of on
// some platforms, Go included. Texts that are the same stand once.
func (r release) notice(platforms []string) (string, error) {
	dirs, err := r.modules(platforms)
	if err != nil {
		return "", err
	}
	users := make(map[string][]string) // of each text
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		found := 0
		for _, dir := range dirs[name] {
			files, err := os.ReadDir(dir)
			if err != nil {
				return "", err
			}
			for _, f := range files {
				if f.IsDir() || !legal.MatchString(f.Name()) {
					continue
				}
				text, err := os.ReadFile(filepath.Join(dir, f.Name()))
				if err != nil {
					return "", err
				}
				found++
				if of := users[string(text)]; !slices.Contains(of, name) {
					users[string(text)] = append(of, name)
				}
			}
		}
		if found == 0 {
			const none = "This module comes without the text of a licence; see its repository."
			users[none] = append(users[none], name)
		}
	}
	texts := slices.SortedFunc(maps.Keys(users), func(a, b string) int {
		return strings.Compare(users[a][0]+"\x00"+a, users[b][0]+"\x00"+b)
	})
	out := noticeHead + "  " + strings.Join(slices.Sorted(maps.Keys(dirs)), "\n  ") + "\n"
	for _, text := range texts {
		out += "\n" + strings.Repeat("=", 100) + "\n" + strings.Join(users[text], "\n") + "\n\n" + strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) + "\n"
	}
	return out, nil
}

// modules returns the modules of the program, and the directories in which each may
// have licences: its own, and those of the packages that are used.
func (r release) modules(platforms []string) (map[string][]string, error) {
	root, err := r.run(nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs := map[string][]string{"Go": {strings.TrimSpace(string(root))}}
	for _, p := range platforms {
		goos, goarch, _ := strings.Cut(p, "/")
		list, err := r.run([]string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + goarch}, "go", "list", "-deps",
			"-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}", "./cmd/rota")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(list)) {
			f := strings.Split(strings.TrimSpace(line), "\t")
			for _, dir := range f[min(1, len(f)):] {
				if !slices.Contains(dirs[f[0]], dir) {
					dirs[f[0]] = append(dirs[f[0]], dir)
				}
			}
		}
	}
	return dirs, nil
}
