package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestWrongLimits(t *testing.T) {
	for file, want := range map[string]string{
		"limits: 5":                                               "rota.yaml, line 1: limits must have end_user: or account: and their limits below",
		"limits:\n  user:\n    workers: 1":                        `rota.yaml, line 2: there is no field "user" of limits; there are end_user, account`,
		"limits:\n  account: 1":                                   "rota.yaml, line 2: limits of account must have fields, such as workers:",
		"limits:\n  account:\n    threads: 1":                     `rota.yaml, line 3: there is no field "threads" of limits; there are workers, open_runs, requests, bytes`,
		"limits:\n  end_user:\n    workers: many":                 `rota.yaml, line 3: workers: must be a whole number, not "many"`,
		"limits:\n  end_user:\n    workers: -1":                   "limits: end_user.workers must be 0 or more",
		"limits:\n  account:\n    bytes: -1":                      "limits: account.bytes must be 0 or more",
		"limits:\n  account:\n    bytes: 1.5":                     `rota.yaml, line 3: bytes: must be a whole number, not "1.5"`,
		"limits:\n  account:\n    requests: many":                 `rota.yaml, line 3: requests: a rate limit is 1 to 999999 requests per second, minute, hour or day, such as 600/minute, not "many"`,
		"limits:\n  account:\n    requests: [1/second, 2/second]": "limits: account.requests must have one limit for a second, not two",
		"limits:\n  account:\n    requests: {a: b}":               "rota.yaml, line 3: requests: must be a limit such as 600/minute, or a list of them",
		"limits:\n  account:\n    open_runs: -1":                  "limits: account.open_runs must be 0 or more",
	} {
		inFile(t, file)
		_, err := parse(t)
		require.ErrorContains(t, err, want)
	}
}

func TestLimits(t *testing.T) {
	ten, many := rota.RateLimit{Requests: 10, Per: rota.PerSecond}, rota.RateLimit{Requests: 600, Per: rota.PerHour}
	for file, want := range map[string]rota.Limits{
		"requests: 10/second":             {Requests: []rota.RateLimit{ten}},
		"requests: 10/second, 600/hour":   {Requests: []rota.RateLimit{ten, many}},
		"requests: [10/second, 600/hour]": {Requests: []rota.RateLimit{ten, many}},
		"requests: 0":                     {Requests: []rota.RateLimit{}},
		"bytes: 10_000_000_000":           {Bytes: new(int64(10_000_000_000))},
	} {
		inFile(t, "limits:\n  account:\n    "+file)
		s, err := parse(t)
		require.NoError(t, err)
		require.Equal(t, want, s.Limits.Account, file)
	}
}
