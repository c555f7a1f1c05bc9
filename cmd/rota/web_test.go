package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWeb has a browser that writes down what it is asked for.
func TestWeb(t *testing.T) {
	f := newFake(t, answer{200, `{}`})
	dir := t.TempDir()
	script := "#!/bin/sh\necho talks; echo \"$1\" >" + filepath.Join(dir, "asked") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for line, want := range map[string]string{
		"today":                                             "/",
		"today --end-user *":                                "/?end_user=%2A",
		"runs list --end-user ana":                          "/runs?end_user=ana",
		"runs get arun_1":                                   "/runs/arun_1",
		"agent-runs get --agent-id a --run-id r":            "/runs/r",
		"agents get --agent-id agt_1":                       "/agents/agt_1",
		"agent-schedules get --agent-id a/ --schedule-id s": "/agents/a%2F/schedules/s",
		"schedules list":                                    "/schedules",
		"approvals list":                                    "/approvals",
		"end-users list":                                    "/end-users",
		"agents list":                                       "/agents",
		"keys list":                                         "/keys",
		"system":                                            "/system",
	} {
		got := rotaCmd("", append(strings.Fields(line), "--web")...)
		require.Equal(t, result{exitOK, f.URL + want + "\n", ""}, got, line)
		asked, err := os.ReadFile(filepath.Join(dir, "asked"))
		require.NoError(t, err)
		require.Equal(t, f.URL+want+"\n", string(asked), line)
	}
	require.Empty(t, f.seen, "the server is asked nothing")

	require.Equal(t, result{exitUsage, "", "rota: keys self: --web: this has no page\n"}, rotaCmd("", "keys", "self", "--web"))
	require.Equal(t, result{exitUsage, "", "rota: agents get: --web: a page is found by an id, not by a key\n"}, rotaCmd("", "agents", "get", "--by-key", "k", "--web"))
	t.Setenv("PATH", t.TempDir())
	got := rotaCmd("", "today", "--web")
	require.Equal(t, exitRefused, got.code)
	require.Equal(t, f.URL+"/\n", got.out, "for whoever has a browser elsewhere")
	require.Contains(t, got.err, "rota: today: no browser was opened: ")
}
