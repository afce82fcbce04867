package cores

import (
	"errors"
	"os"
	"syscall"
)

// Disable has the process leave no core. Its limit of core files is zero from now on,
// soft and hard, and its children inherit that. A core that goes to a program instead
// (systemd-coredump, apport) heeds no limit, so the process is also marked as not
// dumpable: see core(5) and PR_SET_DUMPABLE in prctl(2). Other processes of the same
// user can then neither trace it nor read its memory.
func Disable() error {
	err := os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}))
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		err = errors.Join(err, os.NewSyscallError("prctl", errno))
	}
	return err
}
