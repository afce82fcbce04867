package backend

import (
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

// mountLog is the log of one mount. One process serves all mounts, and Vault prints each
// line of it under the name of the mount that had the process started. So each line says
// itself which mount it is about. Vault tells a plugin its path and accessor with each
// request, and not before: Vault calls nothing that logs earlier.
type mountLog struct {
	hclog.Logger
	of atomic.Pointer[mountName]
}

// mountName is what Vault calls a mount.
type mountName struct{ path, accessor string }

// note takes over what a request says of its mount, which may have been moved.
func (l *mountLog) note(req *logical.Request) {
	if of := l.mount(); req.MountPoint != "" && (of.path != req.MountPoint || of.accessor != req.MountAccessor) {
		l.of.Store(&mountName{req.MountPoint, req.MountAccessor})
	}
}

func (l *mountLog) mount() mountName {
	if of := l.of.Load(); of != nil {
		return *of
	}
	return mountName{}
}

func (l *mountLog) with(args []any) []any {
	of := l.mount()
	return append(args[:len(args):len(args)], "mount_path", of.path, "mount_accessor", of.accessor)
}

func (l *mountLog) Log(level hclog.Level, msg string, args ...any) {
	l.Logger.Log(level, msg, l.with(args)...)
}
func (l *mountLog) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l *mountLog) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *mountLog) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *mountLog) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *mountLog) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }
