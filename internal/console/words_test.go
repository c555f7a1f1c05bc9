package console

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLongTextsAreShort: a model may have written megabytes.
func TestLongTextsAreShort(t *testing.T) {
	require.Equal(t, "{}", short("{}"))
	long := short(strings.Repeat("x", 5<<20))
	require.Less(t, len(long), maxShown+100)
	require.Contains(t, long, "the API has the rest")
}
