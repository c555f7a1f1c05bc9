package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// TestComply: llm-comply, which people check their servers with, finds nothing wrong with
// the gateway with llama.cpp behind it, but that the model has no eyes.
func TestComply(t *testing.T) {
	python := prereqtest.Python(t, "comply", "llm-comply==0.5.0\n")
	llama := llama(t, modelKey)
	for _, protocol := range []string{"responses", "chat"} {
		t.Run(protocol, func(t *testing.T) {
			s := rotaWith(t, fmt.Sprintf(providers, llama, protocol, llama))
			out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(python), "llm-comply"),
				"-u", s.url+"/api/v1/llm", "-k", rotaKey, "-m", "llama/tiny", "--json").Output()
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit) || err == nil, "%v", err)
			var report struct {
				Results []struct{ ID, Status string }
			}
			require.NoError(t, json.Unmarshal(out, &report), "%s", out)
			by := map[string][]string{}
			for _, r := range report.Results {
				by[r.Status] = append(by[r.Status], r.ID)
			}
			require.Len(t, report.Results, 13, "%s", out)
			require.Equal(t, []string{"image-input"}, by["failed"], "%s", out)
			require.Equal(t, []string{"reasoning-summary"}, by["skipped"], "it asks only models with certain names")
			t.Log(slices.Sorted(maps.Keys(by)), by)
		})
	}
}
