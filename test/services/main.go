// Services runs what Rota can work with besides itself, for people who develop
// it: PostgreSQL and a Temporal server, on 127.0.0.1, with their state under one
// folder, until it is interrupted. With -build it only builds the Temporal
// server, for the tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
)

const temporalAddress = "127.0.0.1:7233"

func main() {
	build := flag.Bool("build", false, "only build the Temporal server")
	dir := flag.String("dir", stateDir(), "where the state is")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := prepare(ctx, *dir)
	if err == nil && !*build {
		err = run(ctx, *dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

// stateDir returns a directory that the user who runs PostgreSQL can reach: root
// runs it as another user, for whom root's own directories are closed.
func stateDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/rota-services"
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "rota", "services")
}

func prepare(ctx context.Context, dir string) error {
	if _, err := temporaltest.Build(ctx, os.Stderr); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// run returns when ctx ends, or one of the two does.
func run(ctx context.Context, dir string) error {
	for _, address := range []string{"127.0.0.1:" + pgPort, temporalAddress} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("something else listens there, perhaps this program: %w", err)
		}
		l.Close()
	}
	pg, err := startPostgres(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return err
	}
	defer pg.stop()
	t := &temporaltest.Server{Address: temporalAddress, File: filepath.Join(dir, "temporal.db")}
	if err := t.Start(); err != nil {
		return err
	}
	defer t.Stop()
	fmt.Printf("PostgreSQL  %s\nTemporal    %s, namespace default\nstate       %s\n\n", pg.url, t.Address, dir)
	fmt.Printf("Now start Rota in another terminal, and stop this with ctrl-c when you are done:\n\n")
	fmt.Printf("    rota serve --database %s\n    rota serve --database %[1]s --engine temporal --temporal-address %s\n", pg.url, t.Address)
	select {
	case <-ctx.Done():
		return nil
	case err := <-pg.exited:
		pg.exited <- err // for stop
		return fmt.Errorf("the PostgreSQL server has ended: %w", err)
	case <-t.Done():
		return errors.New("the Temporal server has ended")
	}
}
