package soak

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A cgroup is a group of processes whose memory the kernel bounds. A nil one is none.
type cgroup struct {
	path    string
	entered bool // the process starts in it
	file    *os.File
}

// bound makes a group for a command that has not started. The process is killed when
// all that it has, the pages of its files that cannot be dropped included, is more than
// so many bytes.
func bound(cmd *exec.Cmd, bytes int64) (*cgroup, error) {
	unified, errUnified := makeGroup("/sys/fs/cgroup", "0::", map[string]string{"memory.max": strconv.FormatInt(bytes, 10), "memory.swap.max": "0"})
	if errUnified == nil {
		f, err := os.Open(unified.path)
		if err != nil {
			return unified, err
		}
		unified.file, unified.entered = f, true
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
		return unified, nil
	}
	legacy, errLegacy := makeGroup("/sys/fs/cgroup/memory", ":memory:", map[string]string{"memory.limit_in_bytes": strconv.FormatInt(bytes, 10)})
	if errLegacy == nil {
		return legacy, nil
	}
	return nil, fmt.Errorf("no control group can be made: version 2: %w; version 1: %w", errUnified, errLegacy)
}

// makeGroup makes a group below that of this process, with settings.
func makeGroup(root, mark string, settings map[string]string) (*cgroup, error) {
	own, err := ownGroup(mark)
	if err != nil {
		return nil, err
	}
	parent := filepath.Join(root, own)
	if _, err := os.Stat(parent); err != nil {
		parent = root // of another namespace
	}
	path, err := os.MkdirTemp(parent, "rota-soak-")
	if err != nil {
		return nil, err
	}
	g := &cgroup{path: path}
	for name, value := range settings {
		if err := set(filepath.Join(path, name), value); err != nil {
			g.remove()
			return nil, err
		}
	}
	return g, nil
}

// set writes a file of the kernel, which must be there.
func set(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// ownGroup returns the group of this process in the hierarchy with the mark.
func ownGroup(mark string) (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if _, path, found := strings.Cut(strings.TrimSpace(line), mark); found {
			return path, nil
		}
	}
	return "", fmt.Errorf("this process is in no group with the mark %q", mark)
}

// join moves a process into the group, unless it has started there.
func (g *cgroup) join(pid int) error {
	if g == nil || g.entered {
		return nil
	}
	return set(filepath.Join(g.path, "cgroup.procs"), strconv.Itoa(pid))
}

// remove removes the group, when its process has exited.
func (g *cgroup) remove() {
	if g == nil {
		return
	}
	if g.file != nil {
		g.file.Close()
	}
	_ = os.Remove(g.path)
}
