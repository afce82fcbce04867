//go:build unix && !linux

package cores

import (
	"os"
	"syscall"
)

// Disable has the process leave no core. Its limit of core files is zero from now on,
// soft and hard, and its children inherit that.
func Disable() error {
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}))
}
