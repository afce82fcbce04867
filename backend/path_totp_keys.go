package backend

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// pathTOTPGenerate makes a person's key.
func (b *backend) pathTOTPGenerate() *framework.Path {
	return totpKeyPath("generate", "Make the TOTP key of a person, and tell it, once.", told(fieldSchemas{
		"url":     {Type: framework.TypeString, Description: "The key, as an otpauth:// URL."},
		"barcode": {Type: framework.TypeString, Description: "The same as a QR code, a PNG in base64. Empty where qr_size is 0."},
	}, http.StatusBadRequest, http.StatusNotFound), b.pathTOTPGenerateWrite)
}

// pathTOTPDestroy deletes a person's key.
func (b *backend) pathTOTPDestroy() *framework.Path {
	return totpKeyPath("destroy", "Delete the TOTP key of a person.", written(http.StatusNotFound), b.pathTOTPDestroyWrite)
}

func totpKeyFields() fieldSchemas {
	return grouped("TOTP Key", fieldSchemas{
		"method_id": {
			Type: framework.TypeString, Required: true,
			Description:  "Id of the method, a UUID, or its name.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Method ID"},
		},
		"username": {
			Type: framework.TypeString, Required: true,
			Description:  "Full login of the person as Okta spells it; its case does not matter. Required.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Username"},
		},
	})
}

func totpKeyPath(verb, summary string, answers responses, write framework.OperationFunc) *framework.Path {
	return &framework.Path{
		Pattern: "mfa/method/totp/(?P<method_id>[^/]+)/admin-" + verb,
		Fields:  totpKeyFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{Callback: write, Summary: summary, Responses: answers},
		},
		HelpSynopsis:    summary,
		HelpDescription: totpKeyHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: verb, OperationSuffix: "mfa-totp-key"},
	}
}

// totpKeyOf returns what the path calls the method, and the login of the person.
func totpKeyOf(d *framework.FieldData) (ref, login string, err error) {
	login = strings.TrimSpace(d.Get("username").(string))
	return d.Get("method_id").(string), login, checkName("username", login)
}

func (b *backend) pathTOTPGenerateWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	ref, login, err := totpKeyOf(d)
	if err != nil {
		return answerInput(err)
	}
	m, err := b.storedMethodAt(ctx, req.Storage, totpMethodType, ref)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, noMethod(totpMethodType, ref)
	}
	id := m.ID
	unlock, err := b.locks.Share(ctx, methodPrefix+id) // so that the method is not deleted meanwhile
	if err != nil {
		return nil, err
	}
	defer unlock()
	switch m, err = b.storedMethod(ctx, req.Storage, totpMethodType.name, id); {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, noMethod(totpMethodType, ref)
	}
	key, url, barcode, err := mfa.NewTOTPKey(mfa.TOTPConfig{
		Issuer: m.TOTP.Issuer, Period: m.TOTP.Period, Digits: m.TOTP.Digits, Algorithm: m.TOTP.Algorithm,
		KeySize: m.TOTP.KeySize, QRSize: m.TOTP.QRSize,
	}, login)
	if err != nil {
		return nil, err
	}
	lost, err := b.keysOf(req.Storage, id).add(ctx, login, key)
	switch {
	case errors.Is(err, errHasKey):
		return logical.ErrorResponse("username has a key of this method already: destroy that first with admin-destroy"), nil
	case err != nil:
		return nil, err
	}
	resp := &logical.Response{Data: map[string]any{"url": url, "barcode": barcode}}
	replaced(lost).addTo(resp)
	return resp, nil
}

// pathTOTPDestroyWrite deletes a key, even if its method does not exist any more or cannot
// be read, where the path has the method's id.
func (b *backend) pathTOTPDestroyWrite(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	ref, login, err := totpKeyOf(d)
	if err != nil {
		return answerInput(err)
	}
	m, err := b.storedMethodAt(ctx, req.Storage, totpMethodType, ref)
	id := ref
	switch lost, _ := unreadable(err); {
	case err != nil && !isAt(lost, ref):
		return nil, err
	case m != nil:
		id = m.ID
	case !isUUID(ref):
		return nil, noMethod(totpMethodType, ref)
	}
	destroyed, err := b.keysOf(req.Storage, id).destroy(ctx, login)
	switch {
	case err != nil || destroyed:
		return nil, err
	case m == nil:
		return nil, noMethod(totpMethodType, ref)
	}
	return nil, logical.CodedError(http.StatusNotFound, "username has no key of this method: nothing was destroyed")
}

// totpKeyPrefix is where keys are stored, by method and login.
const totpKeyPrefix = "mfa/totp/"

var errHasKey = errors.New("there is a key already")

// storedKey is a person's key in storage.
type storedKey struct {
	okta.Unprintable
	Login string `json:"login"` // as it was given when the key was made
	mfa.TOTPKey
}

// storedKeys are the keys of one method; they are its mfa.TOTPKeys.
type storedKeys struct {
	storage logical.Storage
	prefix  string
	locks   *store.Locks
	saw     func(*store.UnreadableError) // is called when a key cannot be read
}

// keysOf returns the keys of the method with that id. The method need not exist.
func (b *backend) keysOf(s logical.Storage, id string) *storedKeys {
	return &storedKeys{storage: s, prefix: totpKeyPrefix + id + "/", locks: &b.locks, saw: b.sawUnreadable}
}

// path returns where a person's key is stored. It holds a hash, because storage backends
// limit the length of a name, and a login may hold any character.
func (k *storedKeys) path(login string) string {
	sum := sha256.Sum256([]byte(store.FoldLogin(login)))
	return k.prefix + hex.EncodeToString(sum[:])
}

func (k *storedKeys) load(ctx context.Context, login string) (*storedKey, error) {
	stored, err := store.Load[storedKey](ctx, k.storage, k.path(login))
	switch {
	case err == nil && stored == nil:
		err = mfa.ErrNoKey
	case err == nil && !stored.Valid():
		err = &store.UnreadableError{Key: k.path(login), Why: "it is no TOTP key that this version of the plugin knows"}
	}
	if lost, _ := unreadable(err); lost != nil {
		k.saw(lost)
	}
	return stored, err
}

// Look returns a person's key.
func (k *storedKeys) Look(ctx context.Context, login string) (mfa.TOTPKey, error) {
	stored, err := k.load(ctx, login)
	if err != nil {
		return mfa.TOTPKey{}, err
	}
	return stored.TOTPKey, nil
}

// Use calls f with a person's key, which f may change, while nobody else uses the key.
// Use stores what f has changed before it returns, even if ctx ends before that: no node
// may accept a passcode again.
func (k *storedKeys) Use(ctx context.Context, login string, f func(*mfa.TOTPKey) error) error {
	unlock, err := k.locks.Lock(ctx, k.path(login))
	if err != nil {
		return err
	}
	defer unlock()
	stored, err := k.load(ctx, login)
	if err != nil {
		return err
	}
	before := stored.TOTPKey
	err = f(&stored.TOTPKey)
	if stored.TOTPKey == before {
		return err
	}
	if failed := store.Put(ctx, k.storage, k.path(login), stored); failed != nil {
		return fmt.Errorf("keeping the use of a passcode: %w", failed)
	}
	return err
}

// add stores a new key. It returns errHasKey if the person has one, and what it has
// replaced because it could not be read.
func (k *storedKeys) add(ctx context.Context, login string, key mfa.TOTPKey) (lost *store.UnreadableError, err error) {
	unlock, err := k.locks.Lock(ctx, k.path(login))
	if err != nil {
		return nil, err
	}
	defer unlock()
	_, err = k.load(ctx, login)
	switch lost, err = unreadable(err); {
	case lost == nil && err == nil:
		return nil, errHasKey
	case err != nil && !errors.Is(err, mfa.ErrNoKey):
		return nil, err
	}
	return lost, store.Put(ctx, k.storage, k.path(login), storedKey{Login: login, TOTPKey: key})
}

// destroy deletes a person's key, and reports whether there was one.
func (k *storedKeys) destroy(ctx context.Context, login string) (destroyed bool, err error) {
	return k.delete(ctx, k.path(login))
}

// destroyAll deletes all keys. If it cannot delete one, it still deletes the others.
func (k *storedKeys) destroyAll(ctx context.Context) error {
	names, failed := store.Names(ctx, k.storage, k.prefix)
	for _, name := range names {
		_, err := k.delete(ctx, k.prefix+name)
		failed = cmp.Or(failed, err)
	}
	return failed
}

// delete deletes the key at path. It first waits until nobody uses the key, because Use
// would store it again.
func (k *storedKeys) delete(ctx context.Context, path string) (deleted bool, err error) {
	unlock, err := k.locks.Lock(ctx, path)
	if err != nil {
		return false, err
	}
	defer unlock()
	stored, err := store.Load[mfa.TOTPKey](ctx, k.storage, path)
	lost, err := unreadable(err)
	if err != nil || stored == nil && lost == nil {
		return false, err
	}
	return true, store.Delete(ctx, k.storage, path)
}

const totpKeyHelp = `
The answer is the only one that shows the key: as an otpauth:// URL and as a QR code (a
PNG in base64). If a person loses a key, destroy it and generate another.
`
