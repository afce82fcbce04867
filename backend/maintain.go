package backend

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// This file holds what a mount does for its credentials at Okta by itself. Vault has each
// mount do it once a minute.

const (
	// keyRetry is how long the mount waits before it tries a next key again that Okta has
	// refused, or could not be asked about.
	keyRetry = 10 * time.Minute

	// An API token expires after 30 days without a request. The first use after a start
	// waits, so that a node that starts again and again does not ask each time.
	// https://developer.okta.com/docs/guides/create-an-api-token/main/#token-expiration
	firstTokenUse  = time.Hour
	tokenUsePeriod = 7 * 24 * time.Hour
	tokenUseRetry  = 24 * time.Hour
)

// chore is something that is done from time to time. The zero value is due at once.
type chore struct {
	mu  sync.Mutex
	due time.Time
}

// begin reports whether it is due. If so, it is due again after retry, unless postpone
// says otherwise.
func (c *chore) begin(now time.Time, retry time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.due) {
		return false
	}
	c.due = now.Add(retry)
	return true
}

func (c *chore) postpone(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = until
}

// maintain rotates the key of the service app and uses the API tokens, where it is time.
// What fails is logged and tried again.
func (b *backend) maintain(ctx context.Context, s logical.Storage) {
	if !b.leads() {
		return
	}
	cfg, err := b.config(ctx, s)
	if err != nil {
		b.Logger().Warn("the configuration could not be read, so nothing was done for the mount's credentials at Okta",
			"event", eventUpkeepFailed, "error", err)
		return
	}
	if cfg == nil {
		return
	}
	b.rotateKey(ctx, s, cfg)
	b.useTokens(ctx, s, cfg)
}

// leads reports whether this node is the one that may write to the mount's storage.
func (b *backend) leads() bool {
	state := b.System().ReplicationState()
	if state.HasState(consts.ReplicationPerformanceStandby | consts.ReplicationDRSecondary) {
		return false
	}
	return !state.HasState(consts.ReplicationPerformanceSecondary) || b.System().LocalMount()
}

// rotateKey makes a next key once the current one is old enough, and promotes it once
// Okta takes it. Until then the current key signs.
func (b *backend) rotateKey(ctx context.Context, s logical.Storage, cfg *configEntry) {
	if cfg.ClientID == "" || cfg.KeyRotationPeriod == 0 {
		return
	}
	keys, err := b.keysOfMount(ctx, s)
	now := b.now()
	switch {
	case err == nil && (keys == nil || keys.Current == nil || now.Before(keys.Current.Created.Add(cfg.KeyRotationPeriod))):
		return
	case !b.rotation.begin(now, keyRetry):
		return
	}
	if err == nil && (keys.Next == nil || keys.Next.signing == nil) {
		err = b.makeNextKey(ctx, s)
	}
	if err == nil {
		keys, err = b.promoteKey(ctx, s, "", false)
	}
	switch {
	case err == nil:
		b.Logger().Info("the next key of the service app has taken over", "event", eventKeyRotated, "kid", keys.Current.signing.ID())
	case !errors.Is(err, logical.ErrReadOnly) && b.life.Err() == nil:
		b.Logger().Warn("no next key of the service app has taken over: the current key goes on signing, and the mount tries again in "+
			inWords(keyRetry)+". Okta has to read the mount's jwks, or to be given the public_jwk of the next key (config/key)",
			"event", eventUpkeepFailed, "error", err)
	}
}

// makeNextKey makes a next key as the current one is, unless somebody else just has.
func (b *backend) makeNextKey(ctx context.Context, s logical.Storage) error {
	_, _, err := b.changeKeys(ctx, s, func(before *keysEntry) (*keysEntry, error) {
		current := before.signs()
		switch {
		case current == nil: // or what is stored cannot be read
			return nil, errNoKey
		case before.Next != nil && before.Next.signing != nil:
			return before, nil
		}
		made, err := newKeyPair(current.Algorithm(), b.now())
		after := *before
		after.Next = made
		return &after, err
	})
	return err
}

// useTokens uses the API token of the configuration, and those of MFA methods with orgs of
// their own, once a week.
func (b *backend) useTokens(ctx context.Context, s logical.Storage, cfg *configEntry) {
	now := b.now()
	if !b.tokenUse.begin(now, tokenUseRetry) {
		return
	}
	methods, _, err := b.methods.All(ctx, s) // what cannot be read is logged where it is read
	used := b.usedToken(methodPrefix, err)
	if cfg.Token != "" {
		client, err := b.client(ctx, s, cfg)
		if err == nil {
			err = client.UseAPIToken(ctx)
		}
		used = b.usedToken(configKey, err) && used
	}
	for _, m := range methods {
		if m.Okta == nil || m.Okta.connection() == nil || m.Okta.APIToken == "" {
			continue
		}
		client, err := b.clientOf(m.ID, made{from: m}, m.Okta.connection())
		if err == nil {
			err = client.UseAPIToken(ctx)
		}
		used = b.usedToken(methodPrefix+"okta/"+m.label(), err) && used
	}
	if used {
		b.tokenUse.postpone(now.Add(tokenUsePeriod))
	}
}

// usedToken reports whether the API token of that path could be used, and logs why not.
func (b *backend) usedToken(path string, err error) bool {
	if err != nil && b.life.Err() == nil {
		b.Logger().Warn("an API token could not be used, and expires after 30 days without use: the mount tries again in a day. "+
			"If Okta refuses it, write a new api_token", "event", eventUpkeepFailed, "path", path, "error", err)
	}
	return err == nil
}
