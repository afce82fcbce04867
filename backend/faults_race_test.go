//go:build race

package backend

// everyNthFault thins out the fault matrix: the race detector makes it five times
// slower. Each call and each fault is still played.
const everyNthFault = 5
