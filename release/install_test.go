package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/rota-run/rota/internal/prereqtest"
)

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", file))
	require.NoError(t, err)
	return string(b)
}

// TestDockerfile: the image has the Go of the module, and at the end nothing but the
// program, which runs without rights.
func TestDockerfile(t *testing.T) {
	file := text(t, "Dockerfile")
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(text(t, "go.mod"))
	require.Contains(t, file, "FROM golang:"+goVersion[1]+" AS build\n")
	_, last, found := strings.Cut(file, "FROM scratch\n")
	require.True(t, found)
	require.Contains(t, last, "\nUSER 65532:65532\n")
	require.NotContains(t, last, "RUN")
	for _, part := range regexp.MustCompile(`COPY --from=build \S*/src/(.*) `).FindAllStringSubmatch(last, -1) {
		for _, name := range strings.Fields(strings.ReplaceAll(part[1], "/src/", "")) {
			require.NotEmpty(t, text(t, name))
		}
	}
	require.Contains(t, text(t, ".dockerignore"), "\n**/.env\n")
}

func TestCompose(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Ports       []string
			Volumes     []string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			Build       string
		}
		Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal([]byte(text(t, "compose.yaml")), &file))
	require.Len(t, file.Services, 1)
	s := file.Services["rota"]
	require.Equal(t, ".", s.Build)
	require.True(t, s.ReadOnly)
	require.Equal(t, []string{"ALL"}, s.CapDrop)
	require.Equal(t, []string{"no-new-privileges:true"}, s.SecurityOpt)
	require.Equal(t, []string{"127.0.0.1:8080:8080"}, s.Ports, "not to the whole network")
	require.Equal(t, []string{"data:/data"}, s.Volumes)
	require.Contains(t, file.Volumes, "data")
}

// TestUnit: systemd takes the unit, and finds it little exposed.
func TestUnit(t *testing.T) {
	prereqtest.Program(t, "systemd-analyze")
	const program = "/usr/local/bin/rota"
	unit := text(t, "examples/systemd/rota.service")
	require.Contains(t, unit, "ExecStart="+program+" serve\n")
	file := filepath.Join(t.TempDir(), "rota.service")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(unit, program, "/bin/true")), 0o644))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "rota.service", "it warns of something")
	out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", file).CombinedOutput()
	require.NoError(t, err, string(out))
}
