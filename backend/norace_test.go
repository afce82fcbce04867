//go:build !race

package backend

const everyNth = 1 // all cases
