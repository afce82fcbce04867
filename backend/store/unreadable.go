package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"
)

// UnreadableError says that storage holds something under Key that is no entry of the
// kind that belongs there: it was damaged, or something else has written it. Why is a
// clause that says what is wrong, and quotes nothing of the value, which may be a secret.
type UnreadableError struct{ Key, Why string }

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("the entry %q in Vault's storage cannot be read: %s", e.Key, e.Why)
}

// whyNot is the Why of a value that could not be decoded. The text of err may quote it.
func whyNot(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return fmt.Sprintf("its field %q is of another type", e.Field)
	}
	return "it is not JSON of the form that belongs there"
}

// content is what storage holds under a name: an entry, what cannot be read, or nothing.
type content[T any] struct {
	entry      *T
	unreadable *UnreadableError
}

func (c content[T]) get() (*T, error) {
	if c.unreadable != nil {
		return nil, c.unreadable
	}
	return c.entry, nil
}

// load reads what storage holds under a name, and completes an entry.
func (s *Store[T]) load(ctx context.Context, from logical.Storage, name string) (content[T], error) {
	entry, err := Load[T](ctx, from, s.prefix+name)
	if err == nil && entry != nil && s.ready != nil {
		if wrong := s.ready(entry, name); wrong != nil {
			err = &UnreadableError{Key: s.prefix + name, Why: wrong.Error()}
		}
	}
	unreadable, ok := errors.AsType[*UnreadableError](err)
	if !ok {
		return content[T]{entry: entry}, err
	}
	if s.Unreadable != nil {
		s.Unreadable(unreadable)
	}
	return content[T]{unreadable: unreadable}, nil
}
