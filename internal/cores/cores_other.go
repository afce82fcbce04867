//go:build !unix

package cores

// Disable does nothing: Windows writes no core by itself. Whether it keeps a dump of a
// process that has failed is up to Windows Error Reporting, which an administrator sets.
func Disable() error { return nil }
