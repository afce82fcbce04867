package backend

import (
	"cmp"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
)

// mountLog is the log of one mount. One process serves all mounts, and Vault prints each
// line of it under the name of the mount that had the process started. So each line says
// itself which mount it is about. Vault tells a plugin its path and accessor with
// requests, and not before: Vault calls nothing that logs earlier.
type mountLog struct {
	hclog.Logger
	of atomic.Pointer[mountName]
}

// mountName is what Vault calls a mount.
type mountName struct{ path, accessor string }

// note takes over what a request says of its mount, which may have been moved. Vault
// tells the accessor with logins and writes alone: a read says nothing new of it.
func (l *mountLog) note(req *logical.Request) {
	of := l.mount()
	said := mountName{cmp.Or(req.MountPoint, of.path), cmp.Or(req.MountAccessor, of.accessor)}
	if said != of {
		l.of.Store(&said)
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
