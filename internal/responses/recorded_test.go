package responses_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/rawjson"
)

// TestRecordedStreams: what real servers have sent, without numbers and indexes,
// becomes a valid stream that says the same.
func TestRecordedStreams(t *testing.T) {
	files, err := filepath.Glob("../gateway/testdata/streams/*.sse")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			want, err := os.ReadFile(strings.TrimSuffix(name, ".sse") + ".txt")
			require.NoError(t, err)
			p := play()
			for line := range strings.Lines(string(raw)) {
				data, isData := strings.CutPrefix(strings.TrimSpace(line), "data: ")
				if isData && rawjson.IsObject([]byte(data)) {
					p.n.Event(rawjson.Text(rawjson.Get([]byte(data), "type")), []byte(data), 9)
				}
			}
			require.True(t, p.w.Over())
			require.NoError(t, p.end())
			require.Empty(t, p.n.Dropped())
			said := ""
			for _, i := range rawjson.List(rawjson.Get(p.w.Object(), "output")) {
				said += rawjson.Text(rawjson.Get(i, "name")) + rawjson.Text(rawjson.Get(i, "arguments"))
				for _, part := range rawjson.List(rawjson.Get(i, "content")) {
					said += rawjson.Text(rawjson.Get(part, "text"))
				}
			}
			require.Equal(t, strings.TrimSpace(string(want)), said)
			require.NotContains(t, string(p.w.Object()), `"total_tokens":0`, "the usage of its server is kept")
		})
	}
}
