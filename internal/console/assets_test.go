package console

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"path"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAssetsAreSmall: scripts take at most 20 KB and styles 12 KB, compressed, in all.
func TestAssetsAreSmall(t *testing.T) {
	sizes := map[string]int{}
	for name, a := range readAssets() {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(a.content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		sizes[path.Ext(name)] += b.Len()
	}
	t.Log(sizes)
	require.Less(t, sizes[".js"], 20_000)
	require.Less(t, sizes[".css"], 12_000)
	templates, err := fs.Glob(files, "templates/*.html")
	require.NoError(t, err)
	for _, name := range templates {
		b, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		require.NotRegexp(t, `(?i)<script>|\son[a-z]+=|\sstyle=`, string(b), "%s: the policy lets no script or style stand in a page", name)
	}
}
