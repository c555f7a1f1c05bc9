package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/settings"
)

// A program has settings where the real one has them: in a command.
type program struct {
	Serve struct{ settings.Settings } `cmd:""`
}

func parser(t *testing.T) (*kong.Kong, *program) {
	t.Helper()
	var p program
	k, err := kong.New(&p, settings.Durations())
	require.NoError(t, err)
	return k, &p
}

// parse reads settings as the program does, in an empty directory unless the
// test is in another one.
func parse(t *testing.T, args ...string) (settings.Settings, error) {
	t.Helper()
	k, p := parser(t)
	_, err := k.Parse(append([]string{"serve"}, args...))
	var bad *kong.ParseError
	if errors.As(err, &bad) {
		err = settings.Explain(bad.Context.Flags(), bad.Unwrap())
	}
	return p.Serve.Settings, err
}

// inFile makes the settings file of an empty directory, and goes there.
func inFile(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile(settings.DefaultFile, []byte(text), 0o600))
}

func TestDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	data, err := filepath.Abs("data")
	require.NoError(t, err)
	got, err := parse(t)
	require.NoError(t, err)
	require.Equal(t, settings.Settings{
		Role: "all", Listen: "127.0.0.1:8080", Data: data, Database: "sqlite", ModelProtocol: "auto", Console: "on", Engine: "embedded", Temporal: settings.Temporal{Address: "127.0.0.1:7233", Namespace: "default", TaskQueue: "rota"}, MaxConcurrentRuns: 256, MemoryBudget: 256, DrainTimeout: 30 * time.Second,
		CatchupRate: 10, MinInterval: time.Second, AgentRetention: 720 * time.Hour, OnKeyRevoked: "keep", LogFormat: "text", LogLevel: "info", LogContents: "debug",
	}, got)
}

// TestPrecedence sets each setting in more and more places: the file, the
// environment, the command line. The last one wins.
func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		flag, field          string
		inFile, inEnv, onCmd string
		file, env, cmd       any
	}{
		{"listen", "Listen", ":1", ":2", ":3", ":1", ":2", ":3"},
		{"data", "Data", "/a", "/b", "/c", "/a", "/b", "/c"},
		{"database", "Database", "sqlite://a", "sqlite://b", "postgres://c", "sqlite://a", "sqlite://b", "postgres://c"},
		{"cors-origins", "CORSOrigins", "'*'", "http://a,http://b", "http://c", []string{"*"}, []string{"http://a", "http://b"}, []string{"http://c"}},
		{"demo", "Demo", "true", "false", "true", true, false, true},
		{"model-url", "ModelURL", "http://a", "http://b", "http://c", "http://a", "http://b", "http://c"},
		{"max-concurrent-runs", "MaxConcurrentRuns", "1", "2", "3", 1, 2, 3},
		{"drain-timeout", "DrainTimeout", "1s", "2s", "0s", time.Second, 2 * time.Second, time.Duration(0)},
		{"catchup-rate", "CatchupRate", "1", "2", "10000", 1, 2, 10_000},
		{
			"rate-limit", "RateLimit", "1/day", "1/day,2/hour", "3/hour",
			[]rota.RateLimit{{Requests: 1, Per: rota.PerDay}},
			[]rota.RateLimit{{Requests: 1, Per: rota.PerDay}, {Requests: 2, Per: rota.PerHour}},
			[]rota.RateLimit{{Requests: 3, Per: rota.PerHour}},
		},
		{"on-key-revoked", "OnKeyRevoked", "pause", "keep", "pause", "pause", "keep", "pause"},
		{"min-interval", "MinInterval", "1m", "1h", "24h", time.Minute, time.Hour, 24 * time.Hour},
		{"log-level", "LogLevel", "debug", "warn", "error", "debug", "warn", "error"},
		{"log-contents", "LogContents", "info", "debug", "info", "info", "debug", "info"},
		{"log-format", "LogFormat", "json", "text", "json", "json", "text", "json"},
	} {
		t.Run(test.flag, func(t *testing.T) {
			flag := flagNamed(t, test.flag)
			inFile(t, settings.FileName(flag)+": "+test.inFile+"\n")
			require.Equal(t, test.file, field(t, test.field))
			t.Setenv(flag.Envs[0], test.inEnv)
			require.Equal(t, test.env, field(t, test.field))
			require.Equal(t, test.cmd, field(t, test.field, "--"+test.flag+"="+test.onCmd))
		})
	}
}

func flagNamed(t *testing.T, name string) *kong.Flag {
	t.Helper()
	for _, f := range flags(t) {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("there is no --%s", name)
	return nil
}

// flags returns the flags of the settings.
func flags(t *testing.T) []*kong.Flag {
	t.Helper()
	k, _ := parser(t)
	return k.Model.Children[0].Flags
}

func field(t *testing.T, name string, args ...string) any {
	t.Helper()
	s, err := parse(t, args...)
	require.NoError(t, err)
	return reflect.ValueOf(s).FieldByName(name).Interface()
}

func TestEverySettingHasAVariable(t *testing.T) {
	for _, f := range flags(t) {
		if f.Name != "help" {
			require.Equal(t, []string{variable(f.Name)}, f.Envs)
		}
	}
}

func TestTheFileOfTheDocumentation(t *testing.T) {
	t.Setenv("HOSTED_KEY", "secret")
	got, err := parse(t, "--config", filepath.Join("testdata", "rota.yaml"), "--drain-timeout", "5s")
	require.NoError(t, err)
	require.Equal(t, settings.Settings{
		Config: filepath.Join("testdata", "rota.yaml"),
		Role:   "all", Listen: "0.0.0.0:8080", Data: "/var/lib/rota", Database: "sqlite", ModelProtocol: "auto", Console: "on", Engine: "embedded", Temporal: settings.Temporal{Address: "127.0.0.1:7233", Namespace: "default", TaskQueue: "rota"}, MaxConcurrentRuns: 64, MemoryBudget: 256, DrainTimeout: 5 * time.Second,
		CatchupRate: 10, AgentRetention: 720 * time.Hour, MinInterval: time.Second, OnKeyRevoked: "keep", LogFormat: "json", LogLevel: "info", LogContents: "debug",
		Providers: []settings.Provider{
			{Name: "local", BaseURL: "http://127.0.0.1:8000/v1", DefaultModel: "small", IdleTimeout: settings.Duration(10 * time.Minute), MaxConcurrent: 4},
			{Name: "hosted", BaseURL: "https://models.example.com/v1", KeyEnv: "HOSTED_KEY", DefaultModel: "large", ConnectTimeout: settings.Duration(5 * time.Second), Background: true},
			{Name: "vault", BaseURL: "https://vault.example.com/api/v1", KeyFile: "/run/secrets/model-key", Metadata: new(false)},
		},
		Limits: rota.AllLimits{EndUser: rota.Limits{Workers: new(16), OpenRuns: new(5000), Requests: []rota.RateLimit{{Requests: 20, Per: rota.PerSecond}, {Requests: 5000, Per: rota.PerHour}}}, Account: rota.Limits{Workers: new(0), Bytes: new(int64(50_000_000_000))}},
		File:   filepath.Join("testdata", "rota.yaml"),
	}, got)
}

func TestADurationMayHaveADefault(t *testing.T) {
	require.Equal(t, time.Minute, settings.Duration(0).Or(time.Minute))
	require.Equal(t, time.Second, settings.Duration(time.Second).Or(time.Minute))
}

func TestTheVariableNamesTheFile(t *testing.T) {
	inFile(t, "listen: :1\n")
	other := filepath.Join(t.TempDir(), "other.yaml")
	require.NoError(t, os.WriteFile(other, []byte("listen: :2\n"), 0o600))
	t.Setenv("ROTA_CONFIG", other)
	require.Equal(t, ":2", field(t, "Listen"))
}

func TestWrongFiles(t *testing.T) {
	for file, want := range map[string]string{
		"drain_timout: 5s": `rota.yaml, line 1: there is no setting "drain_timout"; there are providers, limits, listen, data, database, database_pool_size, role, demo, bootstrap_key, public_url, console, token_audience, secret_key, secret_key_file, cors_origins, model_url, ` +
			`model_key_env, model_protocol, model, engine, temporal_address, temporal_namespace, temporal_task_queue, temporal_api_key, temporal_tls, temporal_tls_cert_path, temporal_tls_key_path, temporal_tls_ca_path, temporal_tls_server_name, max_concurrent_runs, memory_budget, max_connections, drain_timeout, catchup_rate, min_interval, agent_retention, retain_runs, retain_occurrences, tool_networks, rate_limit, zoneinfo, on_key_revoked, log_format, log_level, log_contents`,
		"config: other.yaml":                            `rota.yaml, line 1: there is no setting "config"; there are providers, limits,`,
		"listen: :1\ndrain-timeout: 5s":                 `rota.yaml, line 2: there is no setting "drain-timeout"; there are providers, limits,`,
		"drain_timeout: [1s]":                           "rota.yaml, line 1: drain_timeout must be a single value",
		"# a comment\n\ndrain_timeout: 5 minutes":       `rota.yaml, line 3: drain_timeout: "5 minutes" is not a duration such as 90s, 5m, 1h30m or 30d`,
		"drain_timeout: 5":                              `rota.yaml, line 1: drain_timeout: "5" has no unit: write 5s, 5m, 5h or 5d for seconds, minutes, hours or days`,
		"max_concurrent_runs: 1.5":                      `rota.yaml, line 1: max_concurrent_runs: must be a whole number, not "1.5"`,
		"demo: perhaps":                                 `rota.yaml, line 1: demo: must be true or false, not "perhaps"`,
		"rate_limit: 600":                               `rota.yaml, line 1: rate_limit: a rate limit is`,
		"demo: true\nlisten: :1\ndemo: false":           `rota.yaml, line 3: demo is there twice, here and in line 1`,
		"listen: :1\nmemory_budget: 3":                  `--memory-budget ($ROTA_MEMORY_BUDGET) must be 64 to 1048576 (MiB), not 3 (rota.yaml, line 2)`,
		"\tx":                                           "rota.yaml is not YAML: found character that cannot start any token",
		"listen: :1\n x: y":                             "rota.yaml, line 2: it is not YAML: mapping values are not allowed in this context",
		"- listen":                                      "rota.yaml, line 1: must be settings with their values, such as listen: 127.0.0.1:8080",
		"listen: :1\n---\nlisten: :2":                   "rota.yaml, line 2: a second document begins here: there must be one",
		"providers: local":                              "rota.yaml, line 1: providers must be a list",
		"providers:\n- local":                           "rota.yaml, line 2: a provider must have fields",
		"providers:\n- name: a\n  base_ur: x":           `rota.yaml, line 3: there is no field "base_ur" of providers; there are name, base_url, key_env,`,
		"providers:\n- name: a\n  name: b":              "rota.yaml, line 3: name is there twice, here and in line 2",
		"providers:\n- name: a\n  key_env:":             "rota.yaml, line 3: key_env must not be empty: leave it out for the default",
		"providers:\n- name: a\n  idle_timeout: 5":      `rota.yaml, line 3: idle_timeout: "5" has no unit: write 5s,`,
		"providers:\n- name: a\n  max_concurrent: x":    `rota.yaml, line 3: max_concurrent: must be a whole number, not "x"`,
		"providers:\n- name: a\n  metadata: some":       `rota.yaml, line 3: metadata: must be true or false, not "some"`,
		"providers:\n- name: [a]":                       `rota.yaml, line 2: name: must be a single value`,
		"providers:\n- name: A b\n  base_url: http://h": `rota.yaml, line 2: provider "A b": name must be lower-case letters, digits and hyphens`,
		"providers:\n- base_url: http://h":              `rota.yaml, line 2: provider "": name must be`,
		"providers:\n- name: a\n  base_url: h":          `rota.yaml, line 2: provider "a": base_url must begin with http:// or https:// and a host`,
		"providers:\n- name: a\n  base_url: http://h\n- name: a\n  base_url: http://i":                                         `rota.yaml, line 4: provider "a": name is that of another provider too`,
		"providers:\n- {name: a, base_url: 'http://h', key_env: A, key_file: B}":                                               `rota.yaml, line 2: provider "a": key_env and key_file exclude each other`,
		"providers:\n- {name: a, base_url: 'http://h', idle_timeout: -1s}":                                                     `must not be negative`,
		"providers:\n- {name: a, base_url: 'http://h', protocol: rest}":                                                        `protocol must be auto, responses or chat, not "rest"`,
		"providers:\n- {name: a, base_url: 'http://h', max_concurrent: -1}":                                                    `max_concurrent must be 0 or more, not -1`,
		"providers:\n- {name: a, base_url: 'http://h', any_prefix: true}\n- {name: b, base_url: 'http://h', any_prefix: true}": `rota.yaml, line 3: provider "b": any_prefix is for one provider`,
		"providers:\n- {name: a, base_url: 'http://h', key_env: ROTA_TEST_ABSENT}":                                             `rota.yaml: provider "a": key_env: the environment variable ROTA_TEST_ABSENT is not set`,
		"log_level: loud": `rota.yaml, line 1: log_level: must be one of debug, info, warn, error, not "loud"`,
	} {
		t.Run(file, func(t *testing.T) {
			inFile(t, file)
			_, err := parse(t)
			require.ErrorContains(t, err, want)
		})
	}
}

func TestAFileThatIsNamedMustBeThere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := parse(t, "--config", "absent.yaml")
	require.EqualError(t, err, "--config ($ROTA_CONFIG): open absent.yaml: no such file or directory")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestEmptySettings: one rule for all of them, wherever they stand.
func TestEmptySettings(t *testing.T) {
	for _, f := range flags(t) {
		if f.Name == "help" {
			continue
		}
		want := "--" + f.Name + " ($" + variable(f.Name) + ") must not be empty: leave it out for the default"
		for _, value := range []string{"", " ", "\t\r\n", "\ufeff"} {
			t.Run(f.Name+"="+value, func(t *testing.T) {
				t.Chdir(t.TempDir())
				_, err := parse(t, "--"+f.Name+"="+value)
				require.EqualError(t, err, want)
				if !f.IsBool() {
					_, err = parse(t, "--"+f.Name, value)
					require.EqualError(t, err, want)
				}
				t.Setenv(variable(f.Name), value)
				_, err = parse(t)
				require.EqualError(t, err, want)
			})
		}
		if f.Name == "config" {
			continue
		}
		for _, value := range []string{"", "null", "''", "'  '"} {
			t.Run(settings.FileName(f)+": "+value, func(t *testing.T) {
				inFile(t, "# a comment\n"+settings.FileName(f)+": "+value+"\n")
				_, err := parse(t)
				require.EqualError(t, err, "rota.yaml, line 2: "+settings.FileName(f)+" must not be empty: leave it out for the default")
			})
		}
	}
}

// TestTheCommandLineComesBeforeAnEmptyVariable as before any other.
func TestTheCommandLineComesBeforeAnEmptyVariable(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("ROTA_DATA", "")
	_, err := parse(t, "--data=x")
	require.NoError(t, err)
	_, err = parse(t, "--data", "x")
	require.NoError(t, err)
}

func TestAFileMayHaveNoSettings(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "---\n", "\ufeff# nothing\r\n"} {
		inFile(t, text)
		require.Equal(t, "127.0.0.1:8080", field(t, "Listen"), "%q", text)
	}
}

func TestProvidersMayShareFields(t *testing.T) {
	inFile(t, "providers:\n- &one {name: one, base_url: &url 'http://a', max_concurrent: 4.0}\n- {name: two, base_url: *url, metadata: off}\n")
	require.Equal(t, []settings.Provider{
		{Name: "one", BaseURL: "http://a", MaxConcurrent: 4}, {Name: "two", BaseURL: "http://a", Metadata: new(false)},
	}, field(t, "Providers"))
}

func TestWrongSettingsOfTemporal(t *testing.T) {
	for _, test := range []struct{ flag, value, want string }{
		{"temporal-address", "127.0.0.1", "must be host:port"},
		{"temporal-address", "127.0.0.1:72330", "must be host:port"},
		{"temporal-namespace", "", "must not be empty"},
		{"temporal-task-queue", strings.Repeat("q", 201), "must have 1 to 200 bytes"},
		{"temporal-task-queue", "__temporal_sys", "not begin with __temporal_, which is Temporal's own"},
		{"temporal-tls-cert-path", "cert.pem", "goes with --temporal-tls-key-path"},
	} {
		_, err := parse(t, "--engine=temporal", "--database=postgres://h/d", "--"+test.flag+"="+test.value)
		require.ErrorContains(t, err, "--"+test.flag+" ($"+variable(test.flag)+") ")
		require.ErrorContains(t, err, test.want)
	}
}

// TestStrangers: a name with a typing error would say nothing.
func TestStrangers(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"ROTA_MODELURL", "ROTA_SECRET", "ROTA_PORT_8080_TCP", "ROTA_SERVICE_HOST", "ROTA_MY_MODELS_KEY"} {
		t.Setenv(name, "x")
	}
	got, err := parse(t, "--model-url", "http://127.0.0.1", "--model-key-env", "ROTA_MY_MODELS_KEY")
	require.NoError(t, err)
	require.Subset(t, got.Strangers, []string{"ROTA_MODELURL", "ROTA_SECRET"})
	require.NotSubset(t, got.Strangers, []string{"ROTA_PORT_8080_TCP"})
	require.NotSubset(t, got.Strangers, []string{"ROTA_SERVICE_HOST"})
	require.NotSubset(t, got.Strangers, []string{"ROTA_MY_MODELS_KEY"})
}

// TestWrongSettings gives each value on the command line and in the
// environment. The message must name the flag and the variable.
func TestWrongSettings(t *testing.T) {
	for _, test := range []struct{ flag, value, want string }{
		{"listen", "8080", `must be host:port, such as 127.0.0.1:8080, not "8080"`},
		{"listen", "127.0.0.1:65536", "must be host:port"},
		{"database", "mysql://u:secret@h/d", "must be like postgres://user:password@host:5432/name, or sqlite:// and a directory"},
		{"database", "postgres:", "must be like postgres://"},
		{"database", "postgres://", "must be like postgres://"},
		{"database", "sqlite://", "must be like postgres://"},
		{"database", "./data", "must be like postgres://"},
		{"role", "worker", "must be all with SQLite: worker needs --database postgres://"},
		{"role", "api", "must be all with SQLite: api needs --database postgres://"},
		{"engine", "temporal", "must be embedded with SQLite: temporal needs --database postgres://"},
		{"engine", "cron", `must be one of "embedded","temporal" but got "cron"`},
		{"role", "both", `must be one of "api","worker","all" but got "both"`},
		{"demo", "perhaps", `: must be true or false, not "perhaps"`},
		{"cors-origins", "console.example.com", `must be like https://console.example.com, without a path, or *, not "console.example.com"`},
		{"cors-origins", "https://a.example/", "must be like"},
		{"cors-origins", "https://a.example:443", "must be like"},
		{"cors-origins", "https://A.example", "must be like"},
		{"cors-origins", "https://*.example", "must be like"},
		{"model-url", "http://127.0.0.1:8000/v1/responses", "must end before /responses, which is put behind it"},
		{"model-url", "https://example.com/v1/chat/completions/", "must end before /chat/completions, which is put behind it"},
		{"model-url", "http://u:p@127.0.0.1/v1", "must not have a user in it: a key belongs into the key's setting"},
		{"model-url", "http://127.0.0.1/v1?api-version=1", "must not have a query or a fragment"},
		{"bootstrap-key", "short", "must be 20 to 200 printable ASCII characters without spaces"},
		{"secret-key", "abc", "must have 32 characters or more"},
		{"model-url", "127.0.0.1:8000/v1", "must begin with http:// or https:// and a host"},
		{"model-url", "ftp://example.com", "must begin with http:// or https:// and a host"},
		{"model-url", "http://", "must begin with http:// or https:// and a host"},
		{"model-key-env", "ROTA_TEST_ABSENT", "goes with --model-url"},
		{"model", "small", "goes with --model-url"},
		{"model-protocol", "chat", "goes with --model-url"},
		{"model-protocol", "soap", `must be one of "auto","responses","chat" but got "soap"`},
		{"max-concurrent-runs", "0", "must be 1 or more, not 0"},
		{"max-concurrent-runs", "-1", "must be 1 or more, not -1"},
		{"max-concurrent-runs", "many", `: must be a whole number, not "many"`},
		{"drain-timeout", "-1s", "must be 0s or more, not -1s"},
		{"drain-timeout", "30", `: "30" has no unit: write 30s, 30m, 30h or 30d for seconds, minutes, hours or days`},
		{"catchup-rate", "0", "must be 1 to 10000, not 0"},
		{"catchup-rate", "10001", "must be 1 to 10000"},
		{"on-key-revoked", "stop", "must be one of"},
		{"rate-limit", "600", `: a rate limit is 1 to 999999 requests per second, minute, hour or day, such as 600/minute, not "600"`},
		{"rate-limit", "0/minute", ": a rate limit is"},
		{"rate-limit", "5/minute,6/minute", "must have one limit for a minute, not two"},
		{"min-interval", "0s", "must be whole seconds, from 1s to 8784h, not 0s"},
		{"min-interval", "999ms", "must be whole seconds"},
		{"min-interval", "1500ms", "must be whole seconds"},
		{"min-interval", "8785h", "must be whole seconds"},
		{"log-format", "xml", `must be one of "text","json" but got "xml"`},
		{"log-level", "INFO", `must be one of "debug","info","warn","error" but got "INFO"`},
	} {
		t.Run(test.flag+"="+test.value, func(t *testing.T) {
			t.Chdir(t.TempDir())
			named := "--" + test.flag + " ($" + variable(test.flag) + ")"
			_, err := parse(t, "--"+test.flag+"="+test.value)
			require.ErrorContains(t, err, named)
			require.ErrorContains(t, err, test.want)
			t.Setenv(variable(test.flag), test.value)
			_, err = parse(t)
			require.ErrorContains(t, err, named)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestTheModelsKeyMustBeThere(t *testing.T) {
	t.Chdir(t.TempDir())
	args := []string{"--model-url=http://a", "--model-key-env=ROTA_TEST_MODEL_KEY"}
	_, err := parse(t, args...)
	require.EqualError(t, err, "--model-key-env ($ROTA_MODEL_KEY_ENV): the environment variable ROTA_TEST_MODEL_KEY is not set")
	t.Setenv("ROTA_TEST_MODEL_KEY", " \r\n")
	_, err = parse(t, args...)
	require.Error(t, err, "white space is no key")
	t.Setenv("ROTA_TEST_MODEL_KEY", "secret")
	_, err = parse(t, args...)
	require.NoError(t, err)
}

func TestSecretsFromFiles(t *testing.T) {
	for _, text := range []string{"secret", "secret\n", "secret\r\n", "\ufeffsecret\n", " \tsecret "} {
		require.Equal(t, "secret", settings.Secret(text), "%q", text)
	}
	require.Empty(t, settings.Secret("\ufeff\n"))
}

// TestRoles: who serves the API alone asks no model.
func TestRoles(t *testing.T) {
	t.Chdir(t.TempDir())
	inFile(t, "database: postgres://h/d\nmodel_url: http://a\n")
	for role, want := range map[string][2]bool{"api": {true, false}, "worker": {false, true}, "all": {true, true}} {
		s, err := parse(t, "--role="+role)
		require.NoError(t, err)
		require.Equal(t, want, [2]bool{s.ServesAPI(), s.Works()})
		_, err = parse(t, "--role="+role, "--model-key-env=ROTA_TEST_ABSENT")
		require.Equal(t, s.Works(), err != nil)
	}
	require.Equal(t, "all", field(t, "Role"))
}

func TestTheDatabase(t *testing.T) {
	t.Chdir(t.TempDir())
	for database, want := range map[string]string{
		"sqlite": "/var/lib/rota", "sqlite:///srv/rota": "/srv/rota", "sqlite://below": "below", "postgres://h/d": "", "postgresql://h/d": "",
	} {
		s, err := parse(t, "--data=/var/lib/rota", "--database="+database)
		require.NoError(t, err)
		dir, ok := s.SQLite()
		require.Equal(t, want != "", ok, database)
		if ok {
			require.Equal(t, want, dir)
		}
	}
}

func TestAWrongDatabaseIsNotShown(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := parse(t, "--database=mysql://user:password-1@host")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "password-1")
}

func TestAWrongModelURLIsNotShown(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := parse(t, "--model-url=ftp://user:password@host")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "password")
}

func TestDurationsMayHaveDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "90m": 90 * time.Minute,
	} {
		s, err := parse(t, "--agent-retention", text)
		require.NoError(t, err, text)
		require.Equal(t, want, s.AgentRetention, text)
		inFile(t, "agent_retention: "+text)
		s, err = parse(t)
		require.NoError(t, err, text)
		require.Equal(t, want, s.AgentRetention, text)
	}
	for _, text := range []string{"d", "1.5d", "12h1d", "1d-1h", "-1d", "1 d", "99999999d", "1D", "5"} {
		_, err := parse(t, "--agent-retention="+text)
		require.ErrorContains(t, err, "--agent-retention", text)
	}
	inFile(t, "providers:\n  - name: a\n    base_url: http://h/v1\n    idle_timeout: 1d")
	s, err := parse(t)
	require.NoError(t, err)
	require.Equal(t, settings.Duration(24*time.Hour), s.Providers[0].IdleTimeout)
}
