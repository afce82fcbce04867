// Command toy is the least auth plugin that logs people in at Okta: the calls
// of a login, with everything else in memory. It is measured beside the real
// one, to tell what Vault's plugin protocol costs from what the plugin costs.
// It checks nothing, keeps nothing, and must not be used.
package main

import (
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/plugin"
)

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Output: io.Discard})
	if err := plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: factory, Logger: logger}); err != nil {
		os.Exit(1)
	}
}
