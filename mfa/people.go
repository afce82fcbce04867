package mfa

import "github.com/hashicorp/golang-lru/v2/simplelru"

// maxPeople bounds each table of people, on one mount.
const maxPeople = 10_000

// byPerson is a table with one entry for each person, under their personKey. It
// holds maxPeople entries, and drops the one that was used least recently to make
// room for another. Only people whose password was right have an entry: a flood of
// invented names pushes nobody out.
//
// The lock of its owner guards the table. The zero value is ready.
type byPerson[V any] struct{ entries *simplelru.LRU[string, V] }

// get returns the person's entry, and the zero value where they have none.
func (t *byPerson[V]) get(person string) (entry V) {
	if t.entries != nil {
		entry, _ = t.entries.Get(person)
	}
	return entry
}

func (t *byPerson[V]) put(person string, entry V) {
	if t.entries == nil {
		entries, err := simplelru.NewLRU[string, V](maxPeople, nil)
		if err != nil {
			panic(err) // only for a size that is not positive
		}
		t.entries = entries
	}
	t.entries.Add(person, entry)
}

func (t *byPerson[V]) remove(person string) {
	if t.entries != nil {
		t.entries.Remove(person)
	}
}

// each calls f for each entry. It counts as no use of any, and f may remove its
// own.
func (t *byPerson[V]) each(f func(person string, entry V)) {
	if t.entries == nil {
		return
	}
	for _, person := range t.entries.Keys() {
		entry, _ := t.entries.Peek(person)
		f(person, entry)
	}
}
