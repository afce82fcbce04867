// Package cores keeps a process that holds passwords from leaving a core: the memory of
// a process, which the system writes to a file when a signal ends it.
//
//	if err := cores.Disable(); err != nil { … }
//
// Call it before the process holds a secret. What root reads from the memory of a
// process that runs is not in its power.
package cores
