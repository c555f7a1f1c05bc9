package settings_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/settings"
)

var update = flag.Bool("update", false, "write the documentation")

func TestGoldenConfiguration(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "configuration.md")
	got := reference(t)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run the tests with -update if this is meant")
}

const introduction = `# Configuration

This page is made from the program, and a test keeps it true.

A server needs no configuration: ` + "`rota serve`" + ` listens on loopback, and keeps its files in ` + "`./data`" + `. To run
agents it needs a model provider; ` + "`--demo`" + ` has a built-in stand-in. What you set, you can set in three places. The first of these that says something wins:

1. the **flag** on the command line;
2. the **environment variable**;
3. the **settings file**: ` + "`rota.yaml`" + ` in the directory where the server is started, or the file that ` + "`--config`" + ` names.

Else the default holds. A name that the file should not have, or a value out of its range, keeps the server from starting:
it says which one, and ends with exit code 2. A variable that begins with ROTA_ and is no setting is
named in a warning. A setting that is there and empty, or
only white space, is refused in the same way, whether it is a flag, a variable or a line of the file: leave it out for the default. 
Durations are written like ` + "`90s`, `5m`, `1h30m` or `30d`" + `, always with a unit; a day (` + "`d`" + `) is 24 hours. Relative paths start where
the server is started.

## Settings

| flag | environment | in the file | default | meaning |
|---|---|---|---|---|
`

const providersText = `
## Providers

A provider is a server that answers ` + "`POST {base_url}/responses`" + `, as the Responses API describes it, with a stream of events; or one that answers
` + "`POST {base_url}/chat/completions`" + `, and is then asked over a translation ([gateway.md](gateway.md)). Rota finds out which: a provider that says that it has no
` + "`/responses`" + ` (404, 405 or 501, and not about a model) and answers a chat is asked over chat completions until the next start, and the log says so. ` + "`protocol`" + `,
or ` + "`--model-protocol`" + `, tells it instead.

An agent's model is ` + "`provider/model`" + `, or a bare name, which goes to the first provider. ` + "`auto`" + ` is the first provider's ` + "`default_model`" + `, and
refused if it has none. With ` + "`--model-url`" + ` the first provider is that server, under the name ` + "`model`" + `, and ` + "`--model`" + ` its default model.
A single provider takes every other name whole (` + "`meta-llama/…`" + `). With several, a name whose prefix is no provider's is refused, unless one provider
has ` + "`any_prefix: true`" + `.

The model ` + "`echo`" + ` is a built-in stand-in: it repeats its input. Nothing else leads to it, except ` + "`auto`" + ` under ` + "`--demo`" + ` without providers. A run
whose model has no provider fails as ` + "`misconfigured`" + `, and saving its agent answers a warning (` + "`model_not_served`" + `). At its start, the server logs its
providers and the settings file that it read.

Providers are only in the file, under ` + "`providers`" + `. Keys never are: a provider names the variable or the file that holds its key.

A secret, whether it comes from a variable or a file, is read without a byte order mark and without white space around it, such as the end of a line.

| name | default | meaning |
|---|---|---|
`

const limitsText = `
## Limits

What one end user may have at once, so that the others get theirs, and what an account may have with all its end users together. Limits are only in the file,
under ` + "`limits`" + `: ` + "`end_user`" + ` and ` + "`account`" + ` have the same names. 0 is no limit; without a value, the default holds. An account that acts for nobody
(no ` + "`X-On-Behalf-Of`" + `) counts as an end user. ` + "`rota limits set`" + ` sets others for one account; they hold in all processes within two seconds.

When more runs wait than workers are free, end users take turns: one run of each, then the next of each, however many one of them has in the queue
([decision 40](decisions/0040-end-users-take-turns.md)).
Background responses take turns in the same way, for 256 workers of each process. A number of ` + "`workers`" + ` and a provider's ` + "`max_concurrent`" + ` bound runs and background responses together,
over all processes: what other processes have begun is known after a second. A response that a caller waits for is begun at once, and counts in ` + "`open_runs`" + ` alone.

| name | end user | account | meaning |
|---|---|---|---|
`

// reference returns docs/configuration.md.
func reference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(introduction)
	for _, f := range flags(t) {
		if f.Name != "help" {
			b.WriteString(settingRow(f))
		}
	}
	b.WriteString(providersText)
	for f := range reflect.TypeFor[settings.Provider]().Fields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Tag.Get("yaml"), code(f.Tag.Get("default")), f.Tag.Get("help"))
	}
	b.WriteString(limitsText)
	for f := range reflect.TypeFor[rota.Limits]().Fields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Tag.Get("yaml"), f.Tag.Get("endUser"), f.Tag.Get("account"), f.Tag.Get("help"))
	}
	example, err := os.ReadFile(filepath.Join("testdata", "rota.yaml"))
	require.NoError(t, err)
	fmt.Fprintf(&b, "\n## A whole file\n\n```yaml\n%s```\n", example)
	return b.String()
}

func settingRow(f *kong.Flag) string {
	name := code(settings.FileName(f))
	if f.Name == "config" {
		name = ""
	}
	def := f.Default
	if f.IsBool() {
		def = cmp.Or(def, "false")
	}
	return fmt.Sprintf("| `--%s` | `%s` | %s | %s | %s |\n", f.Name, f.Envs[0], name, code(def), f.Help)
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// variable returns the environment variable that a flag should have.
func variable(flag string) string {
	return "ROTA_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
