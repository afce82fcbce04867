// Package harness runs what an end-to-end test of the plugin needs, and what
// a developer wants to see it work: a real Vault server, the plugin and the
// Okta simulator built from this tree, the vault command line tool, and a
// forward proxy that stands in for the internet.
//
//	bin, err := harness.FindVault(ctx, os.Stderr)
//	plugin, err := harness.BuildPlugin(ctx, dir, "v0.1.0")
//	v, err := harness.StartVault(ctx, harness.Config{Bin: bin, Dir: work, PluginDir: plugin.Dir()})
//	defer v.Stop()
//	err = v.RegisterPlugin(ctx, plugin)
//
// Everything listens on loopback addresses with ports of the system's choice,
// and everything started is ended by its own process group. The package knows
// nothing of package testing, so that programs can use it too. It is for
// Linux: Vault and the plugin trust the simulated org by SSL_CERT_FILE, which Go
// does not honour everywhere.
package harness
