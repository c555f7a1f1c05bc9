package httpapi

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// The living contract says every error and every operation as they are.
func TestContractIsTrue(t *testing.T) {
	contract, err := os.ReadFile("../../docs/contract.md")
	require.NoError(t, err)
	for _, c := range rota.Codes {
		row := fmt.Sprintf("| `%s` | %d | `%s` |", c, kinds[c].status, kinds[c].family)
		require.Contains(t, string(contract), row)
	}
	for _, s := range rota.AllScopes() {
		require.Contains(t, string(contract), fmt.Sprintf("`%s`", s))
	}
}
