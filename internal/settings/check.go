package settings

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/rota-run/rota"
)

// maxInterval is the longest interval that a schedule may have.
const maxInterval = 31_622_400 * time.Second

// AfterApply returns an error that begins with the flag of a setting that is
// out of its range or does not go with the others. Kong calls it when all are
// known. (It would put the name of the command before the error of Validate.)
func (s *Settings) AfterApply(ctx *kong.Context) error {
	s.Strangers = s.strangers(ctx.Model)
	return s.inFile(ctx, cmp.Or(
		s.checkListen(),
		s.checkDatabase(),
		check(s.DatabasePoolSize >= 0 && s.DatabasePoolSize <= 10_000, "--database-pool-size must be 1 to 10000, or 0 for the default, not %d", s.DatabasePoolSize),
		s.checkRole(),
		s.checkEngine(),
		s.checkModel(),
		s.checkProviders(),
		check(s.MaxConcurrentRuns >= 1, "--max-concurrent-runs must be 1 or more, not %d", s.MaxConcurrentRuns),
		check(s.MaxConnections >= 0 && s.MaxConnections <= 1<<20, "--max-connections must be 1 to 1048576, or 0 for the default, not %d", s.MaxConnections),
		check(s.MemoryBudget >= 64 && s.MemoryBudget <= 1<<20, "--memory-budget must be 64 to 1048576 (MiB), not %d", s.MemoryBudget),
		checkRetention("--retain-runs", s.RetainRuns),
		checkRetention("--retain-occurrences", s.RetainOccurrences),
		check(s.AgentRetention >= 0, "--agent-retention must not be negative, as %s is", s.AgentRetention),
		check(s.CatchupRate >= 1 && s.CatchupRate <= 10_000, "--catchup-rate must be 1 to 10000, not %d", s.CatchupRate),
		check(s.DrainTimeout >= 0, "--drain-timeout must be 0s or more, not %s", s.DrainTimeout),
		check(s.MinInterval >= time.Second && s.MinInterval <= maxInterval && s.MinInterval%time.Second == 0,
			"--min-interval must be whole seconds, from 1s to 8784h, not %s", s.MinInterval),
		checkLimits("end_user", s.Limits.EndUser),
		checkLimits("account", s.Limits.Account),
		s.checkRateLimit(),
		s.checkNetworks(),
		s.checkTokens(),
		s.checkSecrets(),
		s.checkOrigins(),
	))
}

// strangers returns the variables of the environment that may have been meant as
// settings. Those which Kubernetes sets beside a service that is called rota were not.
func (s *Settings) strangers(model *kong.Application) (names []string) {
	known := map[string]bool{s.ModelKeyEnv: true}
	for _, p := range s.Providers {
		known[p.KeyEnv] = true
	}
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			for _, name := range f.Envs {
				known[name] = true
			}
		}
		return next(nil)
	})
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		ofService := strings.HasPrefix(name, "ROTA_PORT") || strings.HasPrefix(name, "ROTA_SERVICE_")
		if strings.HasPrefix(name, "ROTA_") && !known[name] && !ofService {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Settings) checkNetworks() error {
	for _, n := range s.ToolNetworks {
		if _, err := network(n); err != nil {
			return fmt.Errorf("--tool-networks must be networks such as 10.0.0.0/8 or fd00::/8, with commas between, not %q", n)
		}
	}
	return nil
}

// network reads a network, whose address has no bits behind its prefix.
func network(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Masked() != p {
		err = errors.New("there are bits behind the prefix")
	}
	return p, err
}

// checkOrigins is strict: an origin that a browser would write otherwise lets nobody
// in, and nothing says why.
func (s *Settings) checkOrigins() error {
	for _, o := range s.CORSOrigins {
		if o != "*" && !isOrigin(o) {
			return fmt.Errorf("--cors-origins must be like https://console.example.com, without a path, or *, not %q", o)
		}
	}
	return nil
}

func isOrigin(o string) bool {
	u, err := url.Parse(o)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return false
	}
	defaultPort := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return o == u.Scheme+"://"+strings.ToLower(u.Host) && u.Port() != defaultPort && !strings.Contains(o, "*")
}

func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (s *Settings) checkRateLimit() error {
	per, twice := rota.SamePeriod(s.RateLimit)
	return check(!twice, "--rate-limit must have one limit for a %s, not two", per)
}

func checkLimits(of string, l rota.Limits) error {
	return cmp.Or(check(l.Workers == nil || *l.Workers >= 0, "limits: %s.workers must be 0 or more", of),
		check(l.OpenRuns == nil || *l.OpenRuns >= 0, "limits: %s.open_runs must be 0 or more", of),
		check(l.Bytes == nil || *l.Bytes >= 0, "limits: %s.bytes must be 0 or more", of),
		checkRequests(of, l.Requests))
}

func checkRequests(of string, l []rota.RateLimit) error {
	per, twice := rota.SamePeriod(l)
	return check(!twice, "limits: %s.requests must have one limit for a %s, not two", of, per)
}

// checkTokens does not quote the secret.
func (s *Settings) checkTokens() error {
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return errors.New("--public-url must be like https://rota.example.com")
		}
	}
	for _, a := range s.TokenAudience {
		bad := func(r rune) bool { return r <= ' ' || r > '~' }
		if a == "" || len(a) > 255 || strings.ContainsFunc(a, bad) {
			return fmt.Errorf("--token-audience must be names of 1 to 255 printable ASCII characters, with commas between, not %q", a)
		}
	}
	return check(s.SecretKey == "" || s.SecretKeyFile == "", "--secret-key and --secret-key-file exclude each other")
}

func (s *Settings) checkListen() error {
	return check(isAddress(s.Listen), "--listen must be host:port, such as 127.0.0.1:8080, not %q", s.Listen)
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	return err == nil
}

func (s *Settings) checkDatabase() error {
	if s.Database == "sqlite" {
		return nil
	}
	return CheckDatabase("--database", s.Database)
}

// CheckDatabase returns an error that begins with name if the URL is not that
// of a database. It does not quote the URL, which may hold a password. What is
// behind the scheme is for those to read who open the database.
func CheckDatabase(name, databaseURL string) error {
	scheme, rest, _ := strings.Cut(databaseURL, "://")
	return check(slices.Contains([]string{"postgres", "postgresql", "sqlite"}, scheme) && rest != "",
		"%s must be like postgres://user:password@host:5432/name, or sqlite:// and a directory", name)
}

func (s *Settings) checkEngine() error {
	if s.Engine != "temporal" {
		return nil
	}
	_, file := s.SQLite()
	return cmp.Or(check(!file, "--engine must be embedded with SQLite: temporal needs --database postgres://user:password@host:5432/name"),
		s.Temporal.Check())
}

func (s *Settings) checkRole() error {
	_, file := s.SQLite()
	return check(!file || s.ServesAPI() && s.Works(),
		"--role must be all with SQLite: %s needs --database postgres://user:password@host:5432/name", s.Role)
}

// Secret returns a secret as it was meant, from a file or the environment: without
// a byte order mark and without white space around it, such as the end of a line.
func Secret(text string) string { return strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) }

func (s *Settings) checkModel() error {
	if s.ModelURL == "" {
		return cmp.Or(
			check(s.ModelKeyEnv == "", "--model-key-env goes with --model-url"), check(s.Model == "", "--model goes with --model-url"),
			check(s.ModelProtocol == "auto", "--model-protocol goes with --model-url"),
		)
	}
	if err := checkBaseURL("--model-url", s.ModelURL); err != nil {
		return err
	}
	return check(s.ModelKeyEnv == "" || !s.Works() || Secret(os.Getenv(s.ModelKeyEnv)) != "",
		"--model-key-env: the environment variable %s is not set", s.ModelKeyEnv)
}

// checkBaseURL returns an error that begins with the name of a base URL that cannot be
// one. It does not quote the URL, which may hold a password.
func checkBaseURL(name, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s must begin with http:// or https:// and a host", name)
	}
	for _, path := range []string{"/responses", "/chat/completions"} {
		if strings.HasSuffix(strings.TrimRight(u.Path, "/"), path) {
			return fmt.Errorf("%s must end before %s, which is put behind it", name, path)
		}
	}
	return cmp.Or(
		check(u.User == nil, "%s must not have a user in it: a key belongs into the key's setting", name),
		check(u.RawQuery == "" && u.Fragment == "", "%s must not have a query or a fragment", name),
	)
}

// checkSecrets does not quote them. What they are in detail is for those to read who
// use them.
func (s *Settings) checkSecrets() error {
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	k := Secret(s.BootstrapKey)
	return cmp.Or(
		check(k == "" || len(k) >= 20 && len(k) <= 200 && !strings.ContainsFunc(k, bad), "--bootstrap-key must be 20 to 200 printable ASCII characters without spaces"),
		check(s.SecretKey == "" || len(Secret(s.SecretKey)) >= 32, "--secret-key must have 32 characters or more"),
	)
}

func checkRetention(flag string, d time.Duration) error {
	return check(d == 0 || d >= rota.MinRetention*time.Second, "%s must be 0, for ever, or at least 1h, which %s is not", flag, d)
}
