//go:build race

package backend

// everyNth thins out the tests with thousands of cases that come one after the other: the
// race detector makes them five to ten times slower. "make unit" runs these tests once
// more, whole, without it.
const everyNth = 10
