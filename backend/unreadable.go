package backend

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

// This file is about entries in storage that cannot be read: they were damaged, or
// something else has written them, such as a later version. Whoever needs such an entry
// is denied what it may say. Everybody else does not notice it. A write of the entry
// replaces it, and a deletion deletes it.

const (
	// sightEvery is how often the log names an entry that is found again and again.
	sightEvery = 5 * time.Minute
	// maxSightings bounds the entries whose last line in the log is remembered.
	maxSightings = 10_000
)

// sightings are when the log has last named each entry that cannot be read, by its key.
type sightings struct {
	last *lru.Cache[string, time.Time]
}

func newSightings() sightings {
	last, err := lru.New[string, time.Time](maxSightings)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return sightings{last}
}

// due reports whether the log has to name the entry, and takes it that it then does.
func (s sightings) due(key string, now time.Time) bool {
	at, seen, _ := s.last.PeekOrAdd(key, now)
	if seen && now.Sub(at) < sightEvery {
		return false
	}
	s.last.Add(key, now)
	return true
}

// sawUnreadable logs the key of an entry, which may be a person's name: nobody finds the
// entry otherwise.
func (b *backend) sawUnreadable(lost *store.UnreadableError) {
	if b.sightings.due(lost.Key, b.now()) {
		b.Logger().Warn("an entry in Vault's storage cannot be read", "key", lost.Key, "reason", lost.Why, "remedy", remedy(lost.Key), "event", eventEntryUnreadable)
	}
}

// unreadable takes an error apart: lost is there if the error is about an entry that
// cannot be read, and other if it is not.
func unreadable(err error) (lost *store.UnreadableError, other error) {
	if lost, ok := errors.AsType[*store.UnreadableError](err); ok {
		return lost, nil
	}
	return nil, err
}

// remedies say how to get rid of an entry, by what its key begins with.
var remedies = []struct{ prefix, format string }{
	{configKey, "write config as a whole, or delete it"},
	{keysKey, "write config/key, which makes a new key, or delete it"},
	{userPrefix, "write users/%s as a whole, or delete it"},
	{groupPrefix, "write groups/%s as a whole, or delete it"},
	{methodPrefix, "write mfa/method/<type>/%s as a whole, or delete it, with any type"},
	{totpKeyPrefix, "write admin-generate for the person whose key it is, or admin-destroy"},
	{userNotesPrefix, "the next login of the person with that okta_id writes it again"},
	{groupNotesPrefix, "the next login of a member of the group writes it again"},
}

func remedy(key string) string {
	for _, r := range remedies {
		if name, is := strings.CutPrefix(key, r.prefix); is {
			return strings.Replace(r.format, "%s", name, 1)
		}
	}
	return "delete it"
}

// unreadableProblem is what a list says about an entry.
const unreadableProblem = "cannot be read from storage: write it as a whole, or delete it"

// errUnreadable is the answer to a request, other than a login, that needs the entry.
func errUnreadable(lost *store.UnreadableError) error {
	return logical.CodedError(http.StatusInternalServerError, lost.Error()+": "+remedy(lost.Key))
}

// errUnpatchable is the answer to a patch of the entry.
func errUnpatchable(lost *store.UnreadableError) error {
	return logical.CodedError(http.StatusBadRequest, lost.Error()+", so it cannot be patched: "+remedy(lost.Key))
}

// replaced warns of what a write or a deletion of the entry has lost. lost is nil where
// the entry could be read.
func replaced(lost *store.UnreadableError) warning {
	if lost == nil {
		return warning{}
	}
	return warning{true, fmt.Sprintf("the entry %q in Vault's storage could not be read, so this request has taken it for missing: "+
		"what it said is gone, also what it may have required, such as mfa_methods", lost.Key)}
}
