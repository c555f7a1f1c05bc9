package examples

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// CheckCompose says what is wrong with a Compose file and the example of its
// environment; both lie in dir. The file is loaded as Compose does it, with
// what its schema does not know refused.
func CheckCompose(dir string, text, example []byte, s Settings) Findings {
	env, err := dotenv.UnmarshalBytesWithLookup(example, nil)
	if err != nil {
		return Findings{".env.example: " + err.Error()}
	}
	out := checkVariables(text, env)
	if _, err := load(dir, text, env); err == nil {
		out.unless(false, "it starts with .env.example as it is: a secret is not asked for")
	}
	for name, value := range env {
		if value == "" {
			env[name] = filledIn
		}
	}
	project, err := load(dir, text, env)
	if err != nil {
		return append(out, err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		out = append(out, checkService(project, project.Services[name], s)...)
	}
	return out
}

func load(dir string, text []byte, env map[string]string) (*types.Project, error) {
	details := types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml"), Content: text}},
		Environment: env,
	}
	return loader.LoadWithContext(context.Background(), details, func(o *loader.Options) { o.ResolvePaths = true })
}

// checkVariables wants every variable of the file in the example and the other
// way round, and no value for a secret in either.
func checkVariables(text []byte, env map[string]string) (out Findings) {
	var file map[string]any
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return Findings{err.Error()}
	}
	used := template.ExtractVariables(file, nil)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		_, has := env[name]
		out.unless(has, ".env.example does not have %s", name)
		out.unless(!secret(name) || used[name].DefaultValue == "", "%s is a secret and has a default", name)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		_, has := used[name]
		out.unless(has, ".env.example has %s, which nothing uses", name)
		out.unless(!secret(name) || env[name] == "", ".env.example has a value for %s", name)
	}
	return out
}

func secret(name string) bool {
	return strings.Contains(name, "PASSWORD") || strings.HasSuffix(name, "_KEY")
}

func checkService(project *types.Project, service types.ServiceConfig, s Settings) (out Findings) {
	where := "service " + service.Name
	if service.Build == nil {
		out = append(out, checkImage(where, service.Image)...)
	} else {
		out = append(out, checkBuild(where, service.Build)...)
	}
	files, more := bound(where, service)
	out = append(out, more...)
	for name, need := range service.DependsOn {
		out = append(out, checkNeed(where, project.Services[name], need)...)
	}
	once := strings.HasPrefix(service.Restart, "on-failure")
	out.unless(once || service.Restart == "unless-stopped", "%s: it does not start again", where)
	out.unless(once || service.HealthCheck != nil, "%s: nothing asks how it is", where)
	out.unless(once || service.StopGracePeriod != nil, "%s: it has no stop_grace_period", where)
	if isRota(service) {
		out = append(out, checkRota(where, service, files, s)...)
	}
	return out
}

// isRota reports whether a service is Rota: what is built here.
func isRota(service types.ServiceConfig) bool { return service.Build != nil }

func checkBuild(where string, build *types.BuildConfig) (out Findings) {
	file := build.Dockerfile
	if !filepath.IsAbs(file) {
		file = filepath.Join(build.Context, file)
	}
	_, err := os.Stat(file)
	out.unless(err == nil, "%s: %v", where, err)
	_, err = os.Stat(filepath.Join(build.Context, "go.mod"))
	out.unless(err == nil, "%s: it is not built from the root of the repository", where)
	return out
}

// bound returns the files of this repository that a service sees, by their path
// in it.
func bound(where string, service types.ServiceConfig) (files map[string]string, out Findings) {
	files = map[string]string{}
	for _, v := range service.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		text, err := os.ReadFile(v.Source)
		out.unless(err == nil, "%s: %v", where, err)
		out.unless(v.ReadOnly, "%s: it may write to %s", where, filepath.Base(v.Source))
		files[v.Target] = string(text)
	}
	return files, out
}

// checkNeed wants a condition that can come true.
func checkNeed(where string, other types.ServiceConfig, need types.ServiceDependency) (out Findings) {
	once := strings.HasPrefix(other.Restart, "on-failure")
	switch need.Condition {
	case types.ServiceConditionHealthy:
		out.unless(other.HealthCheck != nil, "%s: it waits for the health of %s, which has no healthcheck", where, other.Name)
	case types.ServiceConditionCompletedSuccessfully:
		out.unless(once, "%s: it waits for the end of %s, which starts again", where, other.Name)
	default:
		out.unless(false, "%s: it does not wait for %s, but says so", where, other.Name)
	}
	return out
}

func checkRota(where string, service types.ServiceConfig, files map[string]string, s Settings) (out Findings) {
	p := process{where: where, args: service.Command, env: map[string]string{}, files: files}
	for name, value := range service.Environment {
		if value != nil {
			p.env[name] = *value
		}
	}
	if service.StopGracePeriod != nil {
		p.grace = time.Duration(*service.StopGracePeriod)
	}
	out = s.check(p)
	_, port, _ := strings.Cut(p.env["ROTA_LISTEN"], ":")
	want := fmt.Sprintf("http://127.0.0.1:%s/readyz", port)
	out.unless(service.HealthCheck != nil && slices.Contains(service.HealthCheck.Test, want), "%s: its healthcheck does not ask %s", where, want)
	out.unless(service.ReadOnly && slices.Contains(service.CapDrop, "ALL") && slices.Contains(service.SecurityOpt, "no-new-privileges:true"),
		"%s: it has rights that Rota does not need", where)
	return out
}
