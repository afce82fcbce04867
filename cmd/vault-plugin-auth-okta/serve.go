package main

import (
	"math"

	"github.com/hashicorp/go-hclog"
	gplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
	"google.golang.org/grpc"
)

// serve serves the plugin until the host has it stop. It does what the SDK's
// plugin.ServeMultiplex does, and also tells connections, a stats.Handler, about the host's
// connections, for which the SDK has no option.
//
// Vault and the plugin agree on TLS by go-plugin's AutoMTLS: no certificate, token or
// address of Vault's is needed here.
func serve(factory logical.Factory, logger hclog.Logger, connections *host) error {
	if err := pluginutil.OptionallyEnableMlock(); err != nil {
		return err
	}
	sets := map[int]gplugin.PluginSet{}
	for _, protocol := range []int{3, 4, 5} { // one process for many mounts since 5
		sets[protocol] = gplugin.PluginSet{plugin.BackendPluginName: &plugin.GRPCBackendPlugin{
			Factory: factory, MultiplexingSupport: protocol >= 5, Logger: logger,
		}}
	}
	gplugin.Serve(&gplugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig,
		VersionedPlugins: sets,
		Logger:           logger,
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return gplugin.DefaultGRPCServer(append(opts,
				grpc.MaxRecvMsgSize(math.MaxInt32), grpc.MaxSendMsgSize(math.MaxInt32), grpc.StatsHandler(connections)))
		},
	})
	return nil
}
