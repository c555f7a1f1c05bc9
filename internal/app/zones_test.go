package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/zoneinfo"
)

func TestTheLogSaysWhichZoneDataAreUsed(t *testing.T) {
	said := func(d *zoneinfo.Data) string {
		var b bytes.Buffer
		sayZones(slog.New(slog.NewTextHandler(&b, nil)), d)
		return b.String()
	}
	own := zoneinfo.Own().Version
	require.Regexp(t, `level=INFO msg="time zone data" version=`+own+` source=built-in\n$`, said(zoneinfo.Own()))

	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "Etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Etc", "UTC"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tzdata.zi"), []byte("# version 2025b\n"), 0o644))
	old, err := zoneinfo.Open(dir)
	require.NoError(t, err)
	require.Regexp(t, `level=INFO .* version=2025b source=setting path=\S+\n`, said(old))
	require.Regexp(t, `level=WARN msg=".* older .*" version=2025b .* built_in=`+own+`\n`, said(old))
	require.Regexp(t, `level=WARN msg=".* lack zones.*" .* zones=59\d such_as=Africa/Abidjan\n`, said(old))
}
