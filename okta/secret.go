package okta

import (
	"fmt"
	"io"
)

// Secret is a string that is not for printing: an API token, a state token, a key.
// Every verb of fmt, JSON and loggers show a placeholder in its place, also where it
// is a field of something else. The string is behind a pointer because fmt prints
// the unexported fields of a struct without asking their methods.
//
// Two Secrets of one string are not equal by ==; compare what Reveal returns.
type Secret struct{ value *string }

const placeholder = "[secret]"

// NewSecret returns a Secret that Reveal turns into s again. That of an empty string
// is the zero Secret, which prints as nothing.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal returns the string.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the string is empty.
func (s Secret) IsZero() bool { return s.value == nil }

// String returns a placeholder.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return placeholder
}

// Format prints a placeholder, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Unprintable is embedded in a struct that holds secrets as plain text, such as one that
// is stored. The verbs of fmt then show a placeholder in the place of the struct: all but
// %p and %w, which are for pointers and errors, and which go vet refuses here. A struct
// that has such a one as the value of an unexported field needs it too, because fmt does
// not ask the methods of these. It changes nothing about JSON.
type Unprintable struct{}

// Format prints a placeholder, whatever the verb.
func (Unprintable) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, placeholder) }

// MarshalText returns a placeholder, which is what JSON and loggers write.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
