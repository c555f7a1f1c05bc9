// Package settings is everything that an operator can set: one struct gives
// the flags, the environment, the file, the defaults and
// docs/configuration.md.
//
// A flag wins over its environment variable, that over the file, and that over
// the default. In the file, rota.yaml, a setting has the name of its flag with
// _ for -; what has no flag (providers, limits) is only there.
package settings

import (
	"net/netip"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota"
)

// Settings configure a server.
type Settings struct {
	Config string `name:"config" env:"ROTA_CONFIG" placeholder:"FILE" help:"File to read settings from. Default: rota.yaml, if there is one."`

	Listen           string `default:"127.0.0.1:8080" env:"ROTA_LISTEN" help:"Address to serve the API on. Port 0 takes a free one."`
	Data             string `default:"./data" env:"ROTA_DATA" type:"path" help:"Directory for everything that the server writes."`
	Database         string `default:"sqlite" env:"ROTA_DATABASE" placeholder:"URL" help:"Database: sqlite (in --data), sqlite://DIR, or postgres://user:password@host:5432/name. Prefer the environment: flags show in process lists."`
	DatabasePoolSize int    `env:"ROTA_DATABASE_POOL_SIZE" help:"Connections to PostgreSQL that the requests and runs of this process share; it has up to two more. Made smaller, with a warning, if the server, the database or the role allows fewer. Default: pool_max_conns in the URL, else twice the number of cores, and at least 8." placeholder:"N"`

	Role string `default:"all" enum:"api,worker,all" env:"ROTA_ROLE" help:"What this process does: api serves the API, worker fires schedules and works on runs, all does both. api and worker need PostgreSQL."`
	Demo bool   `env:"ROTA_DEMO" help:"Add a demo agent that runs every 10 seconds, and show each run in the terminal."`

	BootstrapKey string `env:"ROTA_BOOTSTRAP_KEY" placeholder:"KEY" help:"Key to add, with every scope, if it is not there yet. Without it, the first start makes a key and prints it once. Prefer the environment: flags show in process lists."`

	PublicURL     string   `name:"public-url" env:"ROTA_PUBLIC_URL" placeholder:"URL" help:"Where clients reach the server, such as https://rota.example.com. It issues the tokens, and they are for it."`
	Console       string   `enum:"on,off" default:"on" env:"ROTA_CONSOLE" help:"Whether the server has pages for people, at its address; one signs in with a key."`
	TokenAudience []string `env:"ROTA_TOKEN_AUDIENCE" placeholder:"NAME" help:"Audiences for which tokens are made and accepted, separated by commas. Default: --public-url; without either, there are no tokens."`
	SecretKey     string   `env:"ROTA_SECRET_KEY" placeholder:"SECRET" help:"Secret that seals what the database must not show, such as the keys that sign tokens: 32 characters or more, the same for all processes. A new one goes before the old one, with a comma between. Prefer the environment or --secret-key-file: flags show in process lists."`
	SecretKeyFile string   `env:"ROTA_SECRET_KEY_FILE" placeholder:"FILE" type:"path" help:"File that holds it, each secret on a line. Default with SQLite: secret.key beside the database, which is made if it is not there. With PostgreSQL, one of the two is needed before the first token."`

	CORSOrigins []string `name:"cors-origins" env:"ROTA_CORS_ORIGINS" placeholder:"ORIGIN" help:"Origins of the pages whose scripts may call the API from a browser, such as https://console.example.com, separated by commas; * for all. Default: none. Scripts send a key like everybody else; there are no cookies."`

	ModelURL    string `name:"model-url" env:"ROTA_MODEL_URL" placeholder:"URL" help:"Base URL of a server that speaks POST /responses or POST /chat/completions, such as http://127.0.0.1:8000/v1. Becomes the default provider."`
	ModelKeyEnv string `name:"model-key-env" env:"ROTA_MODEL_KEY_ENV" placeholder:"NAME" help:"Environment variable that holds the key for --model-url."`

	ModelProtocol string `name:"model-protocol" default:"auto" enum:"auto,responses,chat" env:"ROTA_MODEL_PROTOCOL" help:"How --model-url is asked: over responses, or over chat completions. auto asks over responses, and over chat completions once the server says that it has no such path."`

	Model string `name:"model" env:"ROTA_MODEL" placeholder:"NAME" help:"Model of --model-url for agents whose model is auto. Without it, agents name a model."`

	Engine   string   `default:"embedded" enum:"embedded,temporal" env:"ROTA_ENGINE" help:"What fires schedules: embedded is the server itself, in one process at a time; temporal is a Temporal server, for any number of processes. temporal needs PostgreSQL."`
	Temporal Temporal `embed:"" prefix:"temporal-"`

	MaxConcurrentRuns int           `default:"256" env:"ROTA_MAX_CONCURRENT_RUNS" help:"Runs that are worked on at once, in all processes together. The others wait in order, in the database."`
	MemoryBudget      int           `default:"256" env:"ROTA_MEMORY_BUDGET" placeholder:"MIB" help:"Memory, in MiB, for request bodies, lists, answers of models and event logs at once. Beyond it, requests are answered with 503 and models are read more slowly. The whole process needs about twice as much."`
	MaxConnections    int           `env:"ROTA_MAX_CONNECTIONS" placeholder:"N" help:"Connections of callers at once. A new one gets the place of the one that has been without a request for the longest time. Default: what the limit on open files leaves beside the database and the runs, and at most 4096."`
	DrainTimeout      time.Duration `default:"30s" env:"ROTA_DRAIN_TIMEOUT" help:"How long SIGTERM waits for runs to finish. The rest is resumed by the next start."`
	CatchupRate       int           `default:"10" env:"ROTA_CATCHUP_RATE" help:"Runs per second that make up for the past, after a downtime or in a backfill. What is due now comes first."`
	MinInterval       time.Duration `default:"1s" env:"ROTA_MIN_INTERVAL" help:"Shortest interval that a schedule may have."`

	AgentRetention time.Duration `default:"720h" env:"ROTA_AGENT_RETENTION" help:"How long a deleted agent is kept, with its versions, runs and schedules, and can be restored."`

	RetainRuns        time.Duration `default:"0" env:"ROTA_RETAIN_RUNS" help:"How long runs are kept after they have ended, with their inputs and answers, unless the account says otherwise: 1h or more. Default: for ever."`
	RetainOccurrences time.Duration `default:"0" env:"ROTA_RETAIN_OCCURRENCES" help:"How long occurrences are kept after their time, unless the account says otherwise: 1h or more. Default: for ever."`

	ToolNetworks []string `env:"ROTA_TOOL_NETWORKS" placeholder:"CIDR" help:"Private networks that tools of agents may call, such as 10.0.0.0/8 or 127.0.0.1/32, separated by commas. Default: none; a webhook at a private, loopback or link-local address is not called, whatever its name."`

	RateLimit []rota.RateLimit `placeholder:"LIMIT" env:"ROTA_RATE_LIMIT" help:"How many requests each key may make that has no limits of its own, such as 600/minute, in all processes together; one for each of second, minute, hour and day, separated by commas. Default: none."`

	Zoneinfo string `env:"ROTA_ZONEINFO" placeholder:"PATH" type:"path" help:"Time zone data to use: a directory such as /usr/share/zoneinfo, or a zip file with one, such as a wheel of the Python package tzdata. Default: the newer of those in the program and the system's."`

	OnKeyRevoked string `default:"keep" enum:"keep,pause" env:"ROTA_ON_KEY_REVOKED" help:"What becomes of the schedules that a key made when it is revoked: keep or pause."`

	LogFormat string `default:"text" enum:"text,json" env:"ROTA_LOG_FORMAT" help:"Format of the log: text or json."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" env:"ROTA_LOG_LEVEL" help:"What is logged: debug, info, warn or error."`

	LogContents string `default:"debug" enum:"debug,info" env:"ROTA_LOG_CONTENTS" help:"From which --log-level on the lines of runs have what others have written: the name of the schedule and the message of an error, which may quote the input. debug or info."`

	Providers []Provider     `kong:"-"`
	Limits    rota.AllLimits `kong:"-"`
	File      string         `kong:"-"` // the settings file that was read; empty if there was none
	Strangers []string       `kong:"-"` // variables of the environment whose names begin as those of settings do, and are none
}

// SQLite returns the directory of the SQLite database, and false if the
// database is a PostgreSQL, which Database then names.
func (s Settings) SQLite() (dir string, ok bool) {
	if s.Database == "sqlite" {
		return s.Data, true
	}
	return strings.CutPrefix(s.Database, "sqlite://")
}

// Audiences returns the audiences for which tokens are made and accepted.
func (s Settings) Audiences() []string {
	if len(s.TokenAudience) == 0 && s.PublicURL != "" {
		return []string{s.PublicURL}
	}
	return s.TokenAudience
}

// AllLimits returns the limits with their defaults.
func (s Settings) AllLimits() rota.AllLimits {
	l := s.Limits
	if l.EndUser.OpenRuns == nil {
		l.EndUser.OpenRuns = new(rota.DefaultOpenRuns)
	}
	return l
}

// Networks returns the private networks that tools may call.
func (s Settings) Networks() []netip.Prefix {
	var all []netip.Prefix
	for _, n := range s.ToolNetworks {
		if p, err := network(n); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// ServesAPI reports whether the process serves the API.
func (s Settings) ServesAPI() bool { return s.Role != "worker" }

// Works reports whether the process fires schedules and works on runs.
func (s Settings) Works() bool { return s.Role != "api" }

// A Provider is a server that answers model calls. Models are addressed as
// name/model; bare names and auto go to the first provider, other prefixes to the only one or to the one with AnyPrefix.
type Provider struct {
	Name           string   `yaml:"name" help:"Lower-case letters, digits and hyphens."`
	BaseURL        string   `yaml:"base_url" help:"Base URL; requests go to {base_url}/responses or {base_url}/chat/completions."`
	KeyEnv         string   `yaml:"key_env" help:"Environment variable that holds the key."`
	KeyFile        string   `yaml:"key_file" help:"File that holds the key; read anew for each request."`
	DefaultModel   string   `yaml:"default_model" help:"Model for agents whose model is auto. Without it, agents name a model."`
	Protocol       string   `yaml:"protocol" default:"auto" help:"How the provider is asked: responses, or chat for chat completions. auto asks over responses, and over chat completions once the provider says that it has no such path."`
	AnyPrefix      bool     `yaml:"any_prefix" default:"false" help:"With several providers: names with an unknown prefix, such as meta-llama/…, go to this one, whole. For one provider at most; a single provider takes them anyway."`
	ConnectTimeout Duration `yaml:"connect_timeout" default:"10s" help:"Longest time to connect."`
	IdleTimeout    Duration `yaml:"idle_timeout" default:"2m" help:"Longest silence of a model."`
	MaxConcurrent  int      `yaml:"max_concurrent" default:"0" help:"Runs and background responses that ask it at once; 0 means no limit of its own."`
	Background     bool     `yaml:"background" default:"false" help:"Ask for background responses, so that a run can re-attach after a crash."`
	SafetyID       string   `yaml:"safety_identifier" default:"none" help:"end_user names the end user to the provider as safety_identifier: SHA-256 of account and end user. Not over chat completions. none sends only what a request has."`
	Metadata       *bool    `yaml:"metadata" default:"on" help:"Send metadata: the run's own and what Rota adds (rota_run_id, rota_schedule_id, …). off leaves it out; it is left out too, until the next start, once the provider refuses it."`
}

// BeforeResolve reads the settings file. Kong calls it when it has read the
// command line and the environment.
func (s *Settings) BeforeResolve(app *kong.Kong, ctx *kong.Context) error {
	if err := NotEmpty(ctx, ctx.Flags()); err != nil {
		return err
	}
	var path string
	for _, f := range ctx.Flags() {
		if f.Name == "config" {
			path, _ = ctx.FlagValue(f).(string)
		}
	}
	file, err := readFile(path, ctx.Selected().Flags)
	if err != nil {
		return err
	}
	s.Providers, s.Limits, s.File = file.providers, file.limits, file.path
	ctx.AddResolver(file)
	return nil
}
