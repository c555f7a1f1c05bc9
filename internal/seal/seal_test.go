package seal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/seal"
)

var (
	older = strings.Repeat("older-secret", 3)
	newer = strings.Repeat("newer-secret", 3)
)

func ring(t *testing.T, text string) seal.Ring {
	t.Helper()
	r, err := seal.Parse(text)
	require.NoError(t, err)
	return r
}

func TestSealAndOpen(t *testing.T) {
	r := ring(t, older)
	for _, plain := range []string{"", "x", strings.Repeat("y", 100_000)} {
		sealed := r.Seal([]byte(plain), "signing key 1")
		require.NotEqual(t, sealed, r.Seal([]byte(plain), "signing key 1"), "a nonce of its own each time")
		if len(plain) > 1 { // what is sealed may have any one byte
			require.NotContains(t, string(sealed[9:]), plain)
		}
		got, err := ring(t, older).Open(sealed, "signing key 1")
		require.NoError(t, err)
		require.Equal(t, plain, string(got))
		_, err = r.Open(sealed, "signing key 2")
		require.ErrorIs(t, err, seal.ErrBroken, "another purpose")
	}
}

func TestEveryByteCounts(t *testing.T) {
	r := ring(t, older)
	sealed := r.Seal([]byte("plain"), "p")
	for i := range sealed {
		changed := append([]byte{}, sealed...)
		changed[i] ^= 1
		_, err := r.Open(changed, "p")
		require.Error(t, err, "byte %d", i)
	}
	for i := range sealed {
		_, err := r.Open(sealed[:i], "p")
		require.Error(t, err, "the first %d bytes", i)
	}
}

func TestRotation(t *testing.T) {
	sealed := ring(t, older).Seal([]byte("plain"), "p")
	both := ring(t, newer+"\n"+older+"\n")
	got, err := both.Open(sealed, "p")
	require.NoError(t, err)
	require.Equal(t, "plain", string(got))
	require.True(t, both.Stale(sealed))
	require.False(t, ring(t, older).Stale(sealed))

	anew := both.Seal(got, "p")
	require.False(t, both.Stale(anew))
	_, err = ring(t, newer).Open(anew, "p")
	require.NoError(t, err)
	_, err = ring(t, newer).Open(sealed, "p")
	require.ErrorIs(t, err, seal.ErrUnknownSecret)
	_, err = seal.Ring{}.Open(sealed, "p")
	require.ErrorIs(t, err, seal.ErrUnknownSecret)
}

func TestParse(t *testing.T) {
	require.True(t, seal.Ring{}.Empty())
	require.False(t, ring(t, older+","+newer).Empty())
	require.False(t, ring(t, "\n "+seal.NewSecret()+" \r\n").Empty())
	require.False(t, ring(t, "\ufeff"+seal.NewSecret()+"\r\n").Empty(), "a file of an editor that writes a byte order mark")
	require.NotEqual(t, seal.NewSecret(), seal.NewSecret())
	for _, bad := range []string{"", " \n", "short", strings.Repeat("x", 31), strings.Repeat("x", 513), strings.Repeat("é", 32), older + " short", strings.Repeat(older+" ", 9)} {
		_, err := seal.Parse(bad)
		require.Error(t, err, "%q", bad)
		require.NotContains(t, err.Error(), "short")
		require.NotContains(t, err.Error(), older)
	}
}

func TestNothingIsPrinted(t *testing.T) {
	r := ring(t, older)
	require.Equal(t, "a ring of 1 secrets; a ring of 1 secrets; a ring of 1 secrets", fmt.Sprintf("%v; %+v; %#v", r, r, r))
}

// Derived secrets are the same in every process, and of each purpose another.
func TestDerive(t *testing.T) {
	both := ring(t, newer+" "+older)
	got := both.Derive("a")
	require.Len(t, got, 2)
	require.Len(t, got[0], 32)
	require.Equal(t, ring(t, older).Derive("a")[0], got[1])
	require.NotEqual(t, got[0], got[1])
	require.NotEqual(t, got[0], both.Derive("b")[0])
	require.Empty(t, seal.Ring{}.Derive("a"))
}
