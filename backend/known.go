package backend

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
)

// maxKnown bounds the names that are remembered.
const maxKnown = 20_000

// knownPerson is somebody who has logged in before.
type knownPerson struct{ id, login string } // as Okta knows them

// knownPeople are those who have logged in before, by the org and the name that they
// typed. All spellings of a name that Okta may take for the same are one, so a person
// takes up little room, and a stranger none. The names that were not used for the
// longest time are forgotten first.
type knownPeople struct {
	byName *lru.Cache[string, knownPerson]
}

func newKnownPeople() knownPeople {
	byName, err := lru.New[string, knownPerson](maxKnown)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return knownPeople{byName}
}

func (k knownPeople) note(org, typed string, who knownPerson) {
	k.byName.Add(org+" "+store.FoldLoosely(typed), who)
}

func (k knownPeople) find(org, typed string) (knownPerson, bool) {
	return k.byName.Get(org + " " + store.FoldLoosely(typed))
}
