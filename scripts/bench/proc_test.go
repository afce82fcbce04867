package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const rest = " S 17 4242 4242 0 -1 4194560 9000 0 3 0 250 125 7 8 20 0 11 0 5000 1300000000 3 18446744073709551615 1 1"
	for _, row := range []struct{ name, stat string }{
		{"plain", "4243 (vault)" + rest},
		{"with spaces", "4243 (my vault)" + rest},
		{"with parentheses", "4243 (a) R 1 (b)" + rest},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStat([]byte(row.stat))
			require.NoError(t, err)
			require.Equal(t, process{parent: 17, cpu: 3750 * time.Millisecond, rss: 3 * int64(os.Getpagesize())}, got)
		})
	}
	for _, bad := range []string{"", "4243 (vault) S 17", "4243 (vault) S x 1 1 0 0 0 0 0 0 0 250 125 7 8 20 0 11 0 5000 1 3"} {
		_, err := parseStat([]byte(bad))
		require.ErrorIs(t, err, errStat, bad)
	}
}

func TestReadOwnProcess(t *testing.T) {
	t.Parallel()
	p, err := readProcess(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, os.Getppid(), p.parent)
	require.Positive(t, p.rss)

	exe, err := os.Executable()
	require.NoError(t, err)
	found, err := children(os.Getppid(), exe)
	require.NoError(t, err)
	require.Contains(t, found, os.Getpid())
}
