package backend

import "sync"

// maxKnown bounds the people who are remembered.
const maxKnown = 20_000

// knownPeople are those who have logged in before, by the org and the name that
// they typed, with their id at Okta. The zero value is ready.
type knownPeople struct {
	mu  sync.Mutex
	ids map[string]string
}

func (k *knownPeople) note(org, name, userID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[string]string{}
	}
	for other := range k.ids {
		if len(k.ids) < maxKnown {
			break
		}
		delete(k.ids, other)
	}
	k.ids[org+" "+name] = userID
}

func (k *knownPeople) id(org, name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ids[org+" "+name]
}
