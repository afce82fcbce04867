package mfa

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Format makes a person's username at the service of a method, for example by
// "{{username}}@acme.test". The zero value makes the person's login at Okta.
type Format struct {
	text     string
	accessor string
}

// The placeholders of a Format. A plugin does not know Vault's identity entity during a
// login, so that the two placeholders of the identity stand for the names that the
// login gives to it: Okta's login for the entity, Subject.Alias for the alias.
const (
	placeLogin      = "username"
	placeEntity     = "identity.entity.name"
	placeAliasStart = "identity.entity.aliases."
	placeAliasEnd   = ".name"
)

// maxFormat bounds a Format, in bytes.
const maxFormat = 512

// ParseFormat reads a format for the mount with that accessor. The error is a predicate
// of which the format is the subject, and says what would be right.
func ParseFormat(text, accessor string) (Format, error) {
	if text == "" {
		return Format{}, nil
	}
	f := Format{text: text, accessor: accessor}
	if len(text) > maxFormat {
		return Format{}, fmt.Errorf("must not be longer than %d bytes", maxFormat)
	}
	places := 0
	literal, err := f.expand(func(place string) (string, error) {
		places++
		return "", f.check(place)
	})
	switch {
	case err != nil:
		return Format{}, err
	case strings.Contains(literal, "{{"), strings.Contains(literal, "}}"):
		return Format{}, errors.New("has braces that do not belong to a placeholder")
	case places == 0:
		return Format{}, errors.New("must hold a placeholder, such as {{username}}: without one everybody would be the same person")
	}
	return f, nil
}

// check fails where a placeholder cannot be resolved during a login.
func (f Format) check(place string) error {
	alias, isAlias := strings.CutPrefix(place, placeAliasStart)
	accessor, isName := strings.CutSuffix(alias, placeAliasEnd)
	switch {
	case place == placeLogin, place == placeEntity:
		return nil
	case isAlias && isName && accessor == f.accessor:
		return nil
	case isAlias && isName:
		return fmt.Errorf("names the accessor %q, which is not this mount's (%q): a login knows no other mount's alias",
			okta.Clip(accessor, 64), f.accessor)
	}
	return fmt.Errorf("has the placeholder {{%s}}, which is not known during a login: use {{%s}}, {{%s}} or {{%s%s%s}}",
		okta.Clip(place, 64), placeLogin, placeEntity, placeAliasStart, f.accessor, placeAliasEnd)
}

// Text returns the text of which ParseFormat made the format.
func (f Format) Text() string { return f.text }

// Name returns the person's username at the service.
func (f Format) Name(who Subject) string {
	login := who.Login
	if login == "" {
		login = who.Name
	}
	if f.text == "" {
		return login
	}
	name, _ := f.expand(func(place string) (string, error) { // ParseFormat has checked the text
		if strings.HasPrefix(place, placeAliasStart) {
			return cmp.Or(who.Alias, who.Name), nil
		}
		return login, nil
	})
	return name
}

// expand replaces each placeholder by its value.
func (f Format) expand(value func(place string) (string, error)) (string, error) {
	var b strings.Builder
	for rest := f.text; ; {
		before, after, found := strings.Cut(rest, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		place, following, closed := strings.Cut(after, "}}")
		if !closed {
			return "", errors.New("has a placeholder that does not end")
		}
		v, err := value(strings.TrimSpace(place))
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		rest = following
	}
}
