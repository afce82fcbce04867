package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// RaftNode says which node of a raft cluster a server is. Its addresses stay
// the same through restarts, because the other nodes know it by them.
type RaftNode struct {
	ID             string
	Address        string   // of the API, host:port
	ClusterAddress string   // of the other nodes' requests, host:port
	Join           []string // API addresses of nodes to join; none at the first node
}

// Cluster is a raft cluster of Vault servers on this machine.
type Cluster struct {
	Nodes []*Vault // a killed node stays in its place until it is restarted
}

// StartCluster starts a raft cluster: the first node is initialised, the others
// join it. config.StorageDir is not used: each node has a directory of its own
// below config.Dir.
func StartCluster(ctx context.Context, config Config, size int) (*Cluster, error) {
	c := &Cluster{}
	for i := range size {
		if err := c.add(ctx, config, i); err != nil {
			c.Stop()
			return nil, err
		}
	}
	if err := c.waitForVoters(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// waitForVoters waits until each node has a vote: Vault gives it one after it has
// been stable for a while, and before that a cluster does not survive its leader.
func (c *Cluster) waitForVoters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		voters, err := c.voters(ctx)
		if err == nil && voters == len(c.Nodes) {
			return nil
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d nodes have a vote: %w", voters, len(c.Nodes), errors.Join(ctx.Err(), err))
		}
	}
}

func (c *Cluster) voters(ctx context.Context) (int, error) {
	a, err := c.Nodes[0].must(ctx, http.MethodGet, "sys/storage/raft/configuration", nil)
	if err != nil {
		return 0, err
	}
	var out struct {
		Data struct {
			Config struct {
				Servers []struct{ Voter bool }
			}
		}
	}
	if err := json.Unmarshal(a.Raw, &out); err != nil {
		return 0, err
	}
	voters := 0
	for _, server := range out.Data.Config.Servers {
		if server.Voter {
			voters++
		}
	}
	return voters, nil
}

func (c *Cluster) add(ctx context.Context, config Config, i int) error {
	node, err := newRaftNode(i)
	if err != nil {
		return err
	}
	config.Dir = filepath.Join(config.Dir, node.ID)
	config.StorageDir = filepath.Join(config.Dir, "raft")
	config.Raft = node
	if err := os.MkdirAll(config.StorageDir, 0o700); err != nil {
		return err
	}
	if i == 0 {
		first, err := StartVault(ctx, config)
		if err == nil {
			c.Nodes = append(c.Nodes, first)
		}
		return err
	}
	first := c.Nodes[0]
	node.Join = []string{first.Addr}
	v := newVault(config)
	v.UnsealKey, v.RootToken = first.UnsealKey, first.RootToken
	if err := v.start(ctx); err != nil {
		return err
	}
	c.Nodes = append(c.Nodes, v)
	if _, err := v.must(ctx, http.MethodPost, "sys/storage/raft/join", map[string]any{"leader_api_addr": first.Addr}); err != nil {
		return err
	}
	if err := v.Unseal(ctx); err != nil {
		return err
	}
	first.config.Raft.Join = append(first.config.Raft.Join, v.Addr)
	return nil
}

func newRaftNode(i int) (*RaftNode, error) {
	api, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	cluster, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	return &RaftNode{ID: fmt.Sprintf("node%d", i+1), Address: api, ClusterAddress: cluster}, nil
}

// Leader waits until a node is active and returns it.
func (c *Cluster) Leader(ctx context.Context) (*Vault, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		for _, v := range c.Nodes {
			if status, err := v.Health(ctx); err == nil && status == healthActive {
				return v, nil
			}
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil, errors.New("no node leads the cluster")
		}
	}
}

// Standby returns a node that serves and is not active.
func (c *Cluster) Standby(ctx context.Context) (*Vault, error) {
	for _, v := range c.Nodes {
		if status, err := v.Health(ctx); err == nil && status == healthStandby {
			return v, nil
		}
	}
	return nil, errors.New("the cluster has no standby")
}

// Stop ends all nodes.
func (c *Cluster) Stop() {
	for _, v := range c.Nodes {
		v.Stop()
	}
}

// Snapshot saves the cluster's data, as "vault operator raft snapshot save".
func (v *Vault) Snapshot(ctx context.Context) ([]byte, error) {
	a, err := v.must(ctx, http.MethodGet, "sys/storage/raft/snapshot", nil)
	return a.Raw, err
}

// RestoreSnapshot puts saved data in place of the cluster's, and waits until
// the server is active again.
func (v *Vault) RestoreSnapshot(ctx context.Context, snapshot io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.Addr+"/v1/sys/storage/raft/snapshot", snapshot)
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", v.RootToken)
	a, err := send(v.http.from(""), req)
	if err == nil {
		err = a.Err()
	}
	if err != nil {
		return fmt.Errorf("restoring a snapshot: %w", err)
	}
	return v.waitForHealth(ctx, func(status int) bool { return status == healthActive })
}
