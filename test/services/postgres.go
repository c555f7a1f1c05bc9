package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A postgres is a running PostgreSQL server that trusts whoever reaches it.
type postgres struct {
	url    string
	cmd    *exec.Cmd
	exited chan error
}

const (
	pgPort = "5432"
	pgUser = "rota"
)

// startPostgres starts the PostgreSQL that Debian installs, with its state in
// dir, and returns when it answers.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bin, err := pgBin()
	if err != nil {
		return nil, err
	}
	as, err := plainUser(dir)
	if err != nil {
		return nil, err
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Stderr, cmd.SysProcAttr = os.Stderr, as
		return cmd
	}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err != nil {
		if err := command("initdb", "-D", dir, "-U", pgUser, "-A", "trust", "-E", "UTF8", "--locale=C").Run(); err != nil {
			return nil, fmt.Errorf("initdb: %w", err)
		}
	}
	pg := &postgres{
		url:    "postgres://" + pgUser + "@127.0.0.1:" + pgPort + "/postgres",
		cmd:    command("postgres", "-D", dir, "-p", pgPort, "-h", "127.0.0.1", "-k", ""),
		exited: make(chan error, 1),
	}
	if err := pg.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { pg.exited <- pg.cmd.Wait() }()
	err = pg.await(ctx, func() *exec.Cmd {
		return command("pg_isready", "-q", "-h", "127.0.0.1", "-p", pgPort, "-U", pgUser, "-d", "postgres")
	})
	if err != nil {
		pg.stop()
		return nil, err
	}
	return pg, nil
}

// await waits until the server answers.
func (pg *postgres) await(ctx context.Context, ready func() *exec.Cmd) error {
	for ready().Run() != nil {
		select {
		case err := <-pg.exited:
			pg.exited <- err
			return fmt.Errorf("PostgreSQL did not start: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (pg *postgres) stop() {
	_ = pg.cmd.Process.Signal(syscall.SIGINT) // connections are closed, and nothing is lost
	<-pg.exited
}

// pgBin returns the folder of the newest PostgreSQL.
func pgBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		path, err := exec.LookPath("postgres")
		if err != nil {
			return "", errors.New("there is no PostgreSQL; install the package postgresql")
		}
		found = []string{path}
	}
	return filepath.Dir(slices.Max(found)), nil
}

// plainUser makes dir, and returns as whom PostgreSQL is to run: it refuses to
// as root, and then the user postgres does.
func plainUser(dir string) (*syscall.SysProcAttr, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil || os.Getuid() != 0 {
		return nil, err
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return as, os.Chown(dir, uid, gid)
}
