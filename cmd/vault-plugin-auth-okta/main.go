// Command vault-plugin-auth-okta serves the Okta auth method to Vault and
// OpenBao as an external plugin. Vault starts it; run by hand it tells how to
// register it.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/plugin"

	"github.com/vault-okta/vault-plugin-auth-okta/backend"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/cores"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
)

// Set by the linker: -X main.version=v1.2.3 -X main.commit=…
var (
	version = "v0.0.0-dev"
	commit  = "unknown"
)

func main() {
	if len(os.Args) > 1 && (os.Args[1] == "-version" || os.Args[1] == "--version") {
		fmt.Printf("%s %s (commit %s, %s)\n", name, version, commit, runtime.Version())
		return
	}
	if os.Getenv(plugin.HandshakeConfig.MagicCookieKey) != plugin.HandshakeConfig.MagicCookieValue {
		fmt.Fprint(os.Stderr, usage())
		os.Exit(1)
	}
	// net/http prints what a server sends after its answer through the standard
	// logger, and that may be a token.
	log.SetOutput(io.Discard)
	// Standard output belongs to the handshake; Vault reads the log, one JSON
	// object a line, from standard error and filters it by its own level.
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true})
	if err := cores.Disable(); err != nil {
		logger.Warn("a core of this process would hold passwords, and could not be forbidden: forbid cores in the unit file (LimitCORE=0)", "error", err)
	}
	if os.Getenv("GOGC") == "" { // otherwise whoever set it has chosen the pace
		go func() {
			if p, ok := errors.AsType[*panics.Error](paceGC()); ok {
				logger.Error("the garbage collector's pace stays as it is", "error", p, "stack", p.Stack)
			}
		}()
	}
	server := newHost(func() {
		logger.Warn("the server that started the plugin has gone without stopping it: the plugin ends, and what it held with it")
		os.Exit(1)
	})
	err := serve(backend.Factory(version), logger, server)
	if err != nil {
		logger.Error("plugin shutting down", "error", err)
		os.Exit(1)
	}
}
