package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrongLimits(t *testing.T) {
	for file, want := range map[string]string{
		"limits: 5":                               "rota.yaml, line 1: limits must have end_user: or account: and their limits below",
		"limits:\n  user:\n    workers: 1":        `rota.yaml, line 2: there is no field "user" of limits; there are end_user, account`,
		"limits:\n  account: 1":                   "rota.yaml, line 2: limits of account must have fields, such as workers:",
		"limits:\n  account:\n    threads: 1":     `rota.yaml, line 3: there is no field "threads" of limits; there are workers, open_runs`,
		"limits:\n  end_user:\n    workers: many": `rota.yaml, line 3: workers: must be a whole number, not "many"`,
		"limits:\n  end_user:\n    workers: -1":   "limits: end_user.workers must be 0 or more",
		"limits:\n  account:\n    open_runs: -1":  "limits: account.open_runs must be 0 or more",
	} {
		inFile(t, file)
		_, err := parse(t)
		require.ErrorContains(t, err, want)
	}
}
