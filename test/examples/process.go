package examples

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	// filledIn stands for a secret that somebody has filled in.
	filledIn = "x0123456789x0123456789"
	// nowhere is a database that cannot be reached.
	nowhere = "postgres://rota@127.0.0.1:1/rota"
	// patience is for a start that goes on when it should have ended.
	patience = time.Minute
)

// A process is a container of Rota, however it is started.
type process struct {
	where string
	args  []string
	env   map[string]string // what is not known, such as a secret, is empty
	files map[string]string // by path
	grace time.Duration     // from SIGTERM to SIGKILL
}

// check says what is wrong with how Rota is started.
func (s Settings) check(p process) (out Findings) {
	for _, name := range slices.Sorted(maps.Keys(p.env)) {
		out.unless(!strings.HasPrefix(name, "ROTA_") || s.find(name) != nil, "%s: there is no setting %s", p.where, name)
	}
	host, port, _ := strings.Cut(p.env["ROTA_LISTEN"], ":")
	out.unless(host == "0.0.0.0" && port != "", "%s: ROTA_LISTEN is %q, which others do not reach", p.where, p.env["ROTA_LISTEN"])
	out = append(out, s.checkGrace(p)...)
	text, err := p.file()
	if err != nil {
		return append(out, err.Error())
	}
	out = append(out, p.checkKeys(text)...)
	if err := s.start(p, text); err != nil {
		out.unless(false, "%s: %v", p.where, err)
	}
	return out
}

// checkGrace wants time to stop in good order: the runs first, then requests
// and connections.
func (s Settings) checkGrace(p process) (out Findings) {
	drain, err := time.ParseDuration(cmp.Or(p.env["ROTA_DRAIN_TIMEOUT"], s.find("ROTA_DRAIN_TIMEOUT").Default))
	if err != nil {
		return Findings{fmt.Sprintf("%s: ROTA_DRAIN_TIMEOUT: %v", p.where, err)}
	}
	out.unless(p.grace >= drain+10*time.Second, "%s: it is killed after %s, and needs %s to drain and 10s more", p.where, p.grace, drain)
	return out
}

// file returns the settings file that ROTA_CONFIG names; empty without one.
func (p process) file() (string, error) {
	path, ok := p.env["ROTA_CONFIG"]
	if !ok {
		return "", nil
	}
	text, ok := p.files[path]
	if !ok {
		return "", fmt.Errorf("%s: ROTA_CONFIG is %s, and no such file is mounted", p.where, path)
	}
	return text, nil
}

// checkKeys wants the keys of the providers where they are asked.
func (p process) checkKeys(text string) (out Findings) {
	var file struct {
		Providers []struct {
			KeyEnv string `json:"key_env"`
		} `json:"providers"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return Findings{fmt.Sprintf("%s: %v", p.where, err)}
	}
	for _, provider := range file.Providers {
		_, has := p.env[provider.KeyEnv]
		out.unless(has || provider.KeyEnv == "" || !p.works(), "%s: a provider takes its key from %s, which is not set", p.where, provider.KeyEnv)
	}
	return out
}

// works reports whether the process asks models.
func (p process) works() bool {
	i := slices.Index(p.args, "--role")
	return i < 0 || i+1 >= len(p.args) || p.args[i+1] != "api"
}

// start starts Rota as the container does, but with a database that cannot be
// reached. It wants Rota to try that: its settings are right then.
func (s Settings) start(p process, text string) error {
	dir, err := os.MkdirTemp("", "rota-examples-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "rota.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, p.args...)
	cmd.Dir, cmd.Env = dir, p.environment(file)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(string(said), "--database") {
		return nil
	}
	return fmt.Errorf("rota %s: %v: %s", strings.Join(p.args, " "), err, said)
}

func (p process) environment(file string) (out []string) {
	for name, value := range p.env {
		switch name {
		case "ROTA_DATABASE":
			value = nowhere
		case "ROTA_CONFIG":
			value = file
		}
		out = append(out, name+"="+cmp.Or(value, filledIn))
	}
	return out
}
