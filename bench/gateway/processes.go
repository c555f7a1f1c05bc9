package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
)

const key = "rk_bench_bench_bench_bench"

// A target is where a model is asked.
type target struct {
	name string
	url  string // before /responses
	pid  int
	http http.Client
}

// with calls do with the targets, which are in processes that live as long: the provider
// itself, Rota, and agentic-api if there is its program.
func with(ctx context.Context, agentic string, do func(context.Context, []*target) error) error {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	direct, stop, err := start(exec.CommandContext(ctx, self, "-as", "provider"), "directly")
	if err != nil {
		return err
	}
	defer stop()
	direct.url += "/v1"
	through, stop, err := start(exec.CommandContext(ctx, self, "-as", "server", "-dir", dir, "-url", direct.url), "through Rota")
	if err != nil {
		return err
	}
	defer stop()
	through.url += "/api/v1/llm"
	all := []*target{direct, through}
	if agentic != "" {
		peer, stop, err := startPeer(ctx, agentic, dir, strings.TrimSuffix(direct.url, "/v1"))
		if err != nil {
			return err
		}
		defer stop()
		all = append(all, peer)
	}
	return do(ctx, all)
}

// start starts a process that prints the address at which it serves.
func start(cmd *exec.Cmd, name string) (*target, func(), error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: the process has not said where it is", name), err, cmd.Wait())
	}
	return newTarget(name, strings.TrimSpace(line), cmd.Process.Pid), func() { end(cmd) }, nil
}

func newTarget(name, url string, pid int) *target {
	return &target{name: name, url: url, pid: pid, http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1 << 14, DisableCompression: true}}}
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(os.Interrupt)
	timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // it was told to end
	timer.Stop()
}

// startPeer starts agentic-api before a provider.
func startPeer(ctx context.Context, program, dir, provider string) (*target, func(), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	_ = l.Close() // another process may take it; then the peer does not start
	cmd := exec.CommandContext(ctx, program, "--llm-api-base", provider, "--gateway-host", "127.0.0.1", "--gateway-port", port,
		"--db-url", "sqlite://"+filepath.Join(dir, "agentic.db")+"?mode=rwc", "--skip-llm-ready-check")
	cmd.Env = append(os.Environ(), "RUST_LOG=error")
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	for range 100 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return newTarget("through agentic-api", "http://127.0.0.1:"+port+"/v1", cmd.Process.Pid), func() { end(cmd) }, c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	end(cmd)
	return nil, nil, errors.New("agentic-api did not start")
}

// serve is a server as the binary starts it, but for a free port and a quiet log, until
// ctx ends. It prints its address.
func serve(ctx context.Context, dir, provider string) error {
	read, write := io.Pipe()
	go func() {
		lines := bufio.NewReader(read)
		line, _ := lines.ReadString('\n')
		if words := strings.Fields(line); len(words) > 3 {
			fmt.Println(words[3])
		}
		_, _ = io.Copy(io.Discard, lines)
	}()
	return app.Run(ctx, settings.Settings{
		Data: dir, Listen: "127.0.0.1:0", Database: "sqlite", Role: "all", Engine: string(rota.EngineEmbedded), OnKeyRevoked: "keep", Console: "on",
		MaxConcurrentRuns: 256, DrainTimeout: time.Second, CatchupRate: 10, MinInterval: time.Second, MemoryBudget: 256, MaxConnections: 4096,
		LogFormat: "text", LogLevel: "warn", BootstrapKey: key, ModelURL: provider,
	}, "bench", write, os.Stderr)
}

// memory returns the resident memory of a target in bytes.
func (t *target) memory() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return kib << 10
}

// worked returns the time that a target has had of the processors.
func (t *target) worked() time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := append(strings.Fields(rest), make([]string, 15)...)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100 // the kernel counts hundredths
}
