package backend

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
)

// This file stands before the framework, in each call of Vault's that runs code of
// this package. One process serves all mounts, so a panic must end the one call that
// it is in: the caller gets an error, and the log the stack. And the framework quotes
// a value that does not fit its field, so a field with a secret is checked before.

// HandleRequest serves one request, the periodic one (RollbackOperation) included.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	b.log.note(req)
	ctx, attempt := b.begin(ctx, req)
	resp, err := b.serveAlive(ctx, req)
	if isA[*panics.Error](err) || errors.Is(err, errMountGone) {
		// A login, or a renewal of one, may have sent a push before. See answer.
		resp, err = b.answer(ctx, err, strings.HasPrefix(req.Path, "login/"))
	}
	if lost, _ := unreadable(err); lost != nil {
		resp, err = nil, errUnreadable(lost)
	}
	b.end(attempt, resp, err)
	b.notifyWrite(req, resp, err)
	return resp, err
}

// serveAlive serves a request while the mount lives. What fails because the mount has
// ended fails with errMountGone.
func (b *backend) serveAlive(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	ctx, leave, err := b.life.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	resp, err := b.serve(ctx, req)
	if b.life.Err() != nil && !isA[*panics.Error](err) && (err != nil || resp.IsError()) {
		return nil, errMountGone
	}
	return resp, err
}

func (b *backend) serve(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer panics.Recover(&err)
	for name, value := range req.Data {
		if err := checkSensitive(name, b.sensitive[name], value); err != nil {
			return answerInput(err)
		}
	}
	part, err := pageOf(req)
	if err != nil {
		return answerInput(err)
	}
	known, warnings := b.takeUnknown(req)
	resp, err = b.Backend.HandleRequest(ctx, known)
	switch {
	case err != nil:
		return resp, err
	case req.Operation == logical.HelpOperation:
		return resp, keepRefs(resp)
	}
	part.cut(resp)
	return warnedOf(warnings, req.Operation, resp), nil
}

// HandleExistenceCheck tells create from update. The check needs no data, and Vault
// logs its error: the framework gets none of the data to quote.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checkFound, exists bool, err error) {
	b.log.note(req)
	bare := *req
	bare.Data = nil
	err = func() (err error) {
		defer panics.Recover(&err)
		checkFound, exists, err = b.Backend.HandleExistenceCheck(ctx, &bare)
		return err
	}()
	if isA[*panics.Error](err) {
		_, err = b.answer(ctx, err, false)
	}
	return checkFound, exists, err
}

// InvalidateKey is called when another node has changed an entry.
func (b *backend) InvalidateKey(ctx context.Context, key string) {
	b.logPanic(func() { b.Backend.InvalidateKey(ctx, key) })
}

// Cleanup is called when the mount goes.
func (b *backend) Cleanup(ctx context.Context) {
	b.logPanic(func() { b.Backend.Cleanup(ctx) })
}

// sensitiveFields collects the fields that their schemas mark as Sensitive, by name.
func sensitiveFields(paths []*framework.Path) map[string]framework.FieldType {
	fields := map[string]framework.FieldType{}
	for _, path := range paths {
		for name, schema := range path.Fields {
			if schema.DisplayAttrs != nil && schema.DisplayAttrs.Sensitive {
				fields[name] = schema.Type
			}
		}
	}
	return fields
}

// checkSensitive refuses a value that a sensitive field of that type cannot hold,
// without quoting it. The type of any other field is framework.TypeInvalid.
func checkSensitive(name string, fieldType framework.FieldType, value any) error {
	switch fieldType {
	case framework.TypeString:
		switch reflect.ValueOf(value).Kind() {
		case reflect.Map, reflect.Slice:
			return invalid(name, "must be a string")
		}
	case framework.TypeStringSlice:
		if !areStrings(value) {
			return invalid(name, "must be a list of strings")
		}
	}
	return nil
}

// areStrings reports whether value can be a list of strings: clients send null for
// what is not set, and a string for a list of one.
func areStrings(value any) bool {
	switch value := value.(type) {
	case nil, string, []string:
		return true
	case []any:
		for _, one := range value {
			if _, ok := one.(string); !ok {
				return false
			}
		}
		return true
	}
	return false
}
