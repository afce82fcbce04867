//go:build !race

package backend

const everyNthFault = 1 // all of them
