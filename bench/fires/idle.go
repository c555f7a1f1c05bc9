package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota/internal/app"
)

// idle measures how a server with many schedules that are not due starts, in a
// process of its own.
func idle(ctx context.Context, o options) (*idleness, error) {
	dir, err := os.MkdirTemp("", "fires")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	now := time.Now()
	if err := seedFile(ctx, dir, o.idle, 24*time.Hour, func(int) time.Time { return now }); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var r idleness
	err = json.Unmarshal(out, &r)
	r.Schedules = o.idle
	return &r, err
}

// serveIdle serves a directory, asks it whether it is ready, and prints how
// long that took from the start of the process, and its memory.
func serveIdle(ctx context.Context, dir string) error {
	start := processStart()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, write := io.Pipe()
	s := defaults()
	s.Data, s.DrainTimeout = dir, time.Second
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx, s, "bench", write, os.Stderr) }()
	line := make([]byte, 256)
	n, err := read.Read(line)
	if err != nil {
		return err
	}
	url := strings.Fields(string(line[:n]))[3]
	resp, err := http.Get(url + "/readyz")
	if err != nil {
		return err
	}
	resp.Body.Close()
	took := time.Since(start)
	err = json.NewEncoder(os.Stdout).Encode(idleness{ReadySeconds: took.Seconds(), RSS: rss()})
	cancel()
	<-ended
	return err
}

// processStart returns when this process began, by the kernel's count.
func processStart() time.Time {
	stat, err := os.ReadFile("/proc/self/stat")
	up, err2 := os.ReadFile("/proc/uptime")
	if err != nil || err2 != nil {
		return time.Now()
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	ticks, _ := strconv.ParseFloat(strings.Fields(rest)[19], 64)
	seconds, _ := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	return time.Now().Add(-time.Duration((seconds - ticks/100) * float64(time.Second)))
}

// rss returns the resident memory of this process in bytes.
func rss() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return kib << 10
}
