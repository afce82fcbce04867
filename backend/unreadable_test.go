package backend

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// spoiled is in the damaged values, and may be nowhere else: it could be a secret.
const spoiled = "5p01l3d5p01l3d5p01l3d"

const otherLogin = "noa.lin@acme.test"

// damages are what may be in storage in place of any entry.
var damages = map[string]string{
	"cut off": `{"token":"` + spoiled, "null": `null`, "a list": `["` + spoiled + `"]`, "a string": `"` + spoiled + `"`,
	"nothing": ``, "not to be decrypted": storetest.Undecryptable,
}

// kindOfEntry is a kind of entry in storage, and what there is to do about one that
// cannot be read.
type kindOfEntry struct {
	name    string
	prepare func(m *mount, mia *oktatest.User) (key string)
	damages map[string]string // of this kind alone
	denied  bool              // mia may not log in
	alone   bool              // and noa may
	where   string            // path of the entry, with {} for the end of its key
	list    string            // path of the list, empty for none
	patches bool              // the path takes patches
	write   operation         // replaces it
	remove  operation         // deletes it
}

// requireTOTP has mia satisfy a method of type totp.
func (m *mount) requireTOTP() (id string) {
	m.addTOTP("my_totp")
	id = strings.Split(m.below(totpKeyPrefix)[0], "/")[2]
	m.write("users/"+testLogin, fields{"policies": "own", "mfa_methods": "my_totp"})
	return id
}

// configDamages are those of a configuration: fields of other types, and words that a
// field may have in a later version.
func configDamages() map[string]string {
	all := map[string]string{"wrong type": `{"organization":["` + spoiled + `"]}`, "number": `{"ttl":` + strings.Repeat("9", 30) + `}`,
		"address": `{"token_bound_cidrs":["` + spoiled + `"]}`}
	for field, schema := range configFields() {
		if len(schema.AllowedValues) > 0 {
			all["unknown "+field] = `{"organization":"acme","` + field + `":"` + spoiled + `"}`
		}
	}
	return all
}

var kindsOfEntry = []kindOfEntry{
	{
		name: "config", prepare: func(*mount, *oktatest.User) string { return configKey }, denied: true,
		damages: configDamages(),
		where:   "config", patches: true, write: update("config", fields{"org_name": "acme", "base_url": "{url}", "api_token": "{token}"}),
		remove: remove("config"),
	},
	{
		name: "user", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string {
			m.write("users/"+testLogin, fields{"policies": "own"})
			return userPrefix + testLogin
		},
		damages: map[string]string{"wrong type": `{"Policies":"` + spoiled + `"}`},
		where:   "users/{}", list: "users/", patches: true,
		write: update("users/{}", fields{"policies": "new"}), remove: remove("users/{}"),
	},
	{
		name: "user in another spelling", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string {
			m.write("users/MÍA.ito", fields{"policies": "own"})
			return userPrefix + "MÍA.ito"
		},
		where: "users/{}", list: "users/", write: update("users/{}", fields{"policies": "new"}), remove: remove("users/{}"),
	},
	{
		name: "user with okta_id", denied: true, alone: true,
		prepare: func(m *mount, mia *oktatest.User) string {
			m.write("users/the boss", fields{"policies": "own", "okta_id": mia.ID})
			return userPrefix + "the boss"
		},
		where: "users/{}", list: "users/", write: update("users/{}", fields{"policies": "new"}), remove: remove("users/{}"),
	},
	{
		name: "group", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string {
			m.write("groups/scientists", fields{"policies": "p"})
			return groupPrefix + "scientists"
		},
		damages: map[string]string{"wrong type": `{"mfa_methods":{"` + spoiled + `":1}}`},
		where:   "groups/{}", list: "groups/", patches: true,
		write: update("groups/SCIENTISTS", fields{"policies": "new"}), remove: remove("groups/Scientists"),
	},
	{
		name: "group with group_id", denied: true, alone: true,
		prepare: func(m *mount, mia *oktatest.User) string {
			m.write("groups/elsewhere", fields{"policies": "p", "group_id": m.groupIDOf(mia, "Scientists", "OKTA_GROUP")})
			return groupPrefix + "elsewhere"
		},
		where: "groups/{}", list: "groups/", write: update("groups/{}", fields{"policies": "new"}), remove: remove("groups/{}"),
	},
	{
		name: "pattern", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string {
			m.write("groups/sci*", fields{"policies": "p", "pattern": true})
			return groupPrefix + "sci*"
		},
		where: "groups/{}", list: "groups/", write: update("groups/{}", fields{"policies": "new"}), remove: remove("groups/{}"),
	},
	{
		name: "method", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string { return methodPrefix + m.requireTOTP() },
		damages: map[string]string{"wrong type": `{"id":"{}","type":"totp","totp":"` + spoiled + `"}`, "unknown type": `{"id":"{}","type":"hologram"}`,
			"empty": `{}`, "half": `{"id":"{}","type":"duo"}`, "another's": `{"id":"other","type":"totp","totp":{}}`},
		where: "mfa/method/totp/{}", list: "mfa/method/",
		write: update("mfa/method/totp/{}", fields{"issuer": "New", "method_name": "my_totp"}), remove: remove("mfa/method/totp/{}"),
	},
	{
		name: "method, by another type", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string { return methodPrefix + m.requireTOTP() },
		where:   "mfa/method/duo/{}", list: "mfa/method/pingid/",
		write: update("mfa/method/okta", fields{"method_id": "{}", "method_name": "my_okta"}), remove: remove("mfa/method/duo/{}"),
	},
	{
		name: "TOTP key", denied: true, alone: true,
		prepare: func(m *mount, _ *oktatest.User) string { m.requireTOTP(); return m.below(totpKeyPrefix)[0] },
		damages: map[string]string{"wrong type": `{"secret":["` + spoiled + `"]}`, "time": `{"barred_until":"` + spoiled + `"}`, "empty": `{}`,
			"no base32": `{"secret":"` + spoiled + `","period":30000000000,"digits":6,"algorithm":"SHA1"}`},
		write:  update("mfa/method/totp/my_totp/admin-generate", fields{"username": testLogin}),
		remove: update("mfa/method/totp/my_totp/admin-destroy", fields{"username": testLogin}),
	},
	{
		name: "keys of the service app", denied: true,
		prepare: func(m *mount, _ *oktatest.User) string {
			m.write("config/key", fields{"algorithm": "ES256"})
			m.write("config", fields{"client_id": "0oa1b2c3d4"})
			return keysKey
		},
		damages: map[string]string{"wrong type": `{"current":"` + spoiled + `"}`, "time": `{"current":{"created":"` + spoiled + `"}}`,
			"no PEM": `{"current":{"private_key":"` + spoiled + `"}}`},
		where: "config/key", write: update("config/key", fields{"algorithm": "ES256"}), remove: remove("config/key"),
	},
}

// filled returns a text of the table for that key.
func (m *mount) filled(text, key string) string {
	name := key
	for _, prefix := range []string{userPrefix, groupPrefix, methodPrefix} {
		name = strings.TrimPrefix(name, prefix)
	}
	return strings.NewReplacer("{}", name, "{url}", m.okta.URL, "{token}", m.okta.Token).Replace(text)
}

// run sends a request of the table.
func (m *mount) run(o operation, key string) (*logical.Response, int, string) {
	m.t.Helper()
	data := fields{}
	for k, v := range o.data {
		data[k] = m.filled(fmt.Sprint(v), key)
	}
	return m.do(o.op, m.filled(o.path, key), data)
}

// lines counts the lines of the log that name an entry at level warn.
func (m *mount) lines(key string) (n int) {
	for _, line := range strings.Split(m.logs.String(), "\n") {
		if strings.Contains(line, "[WARN]") && strings.Contains(line, "an entry in Vault's storage cannot be read") && strings.Contains(line, key) {
			n++
		}
	}
	return n
}

// TestUnreadableEntry: whatever is in storage in place of an entry, it denies those who
// need the entry and nobody else, is named, and can be replaced and deleted.
func TestUnreadableEntry(t *testing.T) {
	nth := 0
	for _, kind := range kindsOfEntry {
		all := maps.Clone(damages)
		maps.Copy(all, kind.damages)
		for _, what := range slices.Sorted(maps.Keys(all)) {
			if nth++; nth%everyNth != 0 {
				continue
			}
			raw := all[what]
			t.Run(kind.name+"/"+what, func(t *testing.T) {
				bothWays(t, func(t *testing.T, m *mount) {
					m.configure(nil)
					mia := m.addUser("Scientists")
					m.okta.AddUser(otherLogin, testPassword).SetGroups("Artists")
					m.write("groups/artists", fields{"policies": "art"})
					m.write("users/"+otherLogin, fields{"policies": "own"})
					key := kind.prepare(m, mia)
					kind.test(t, m, key, m.filled(raw, key), kind.write)
					m.clock.advance(sightEvery)
					kind.test(t, m, key, m.filled(raw, key), kind.remove)
				})
			})
		}
	}
}

// test damages the entry, looks at what that does, and mends it.
func (kind kindOfEntry) test(t *testing.T, m *mount, key, raw string, mend operation) {
	require.NoError(t, m.storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte(raw)}))
	m.backend.InvalidateKey(t.Context(), key)
	named := m.lines(key)
	var texts []string
	say := func(resp *logical.Response, text string) {
		said, err := json.Marshal(resp)
		require.NoError(t, err)
		texts = append(texts, text, string(said))
	}
	for _, more := range []fields{nil, {"mfa": "my_totp:123456"}, {"wait": false}} {
		resp, status, text := m.login(more)
		say(resp, text)
		if kind.denied {
			assert.Equal(t, http.StatusBadRequest, status, text)
			assert.Contains(t, text, "cannot be read: tell your Vault administrator to look up the entry in Vault's log")
			assert.NotContains(t, text, key)
		}
	}
	other := func() {
		t.Helper()
		resp, status, text := m.loginAs(otherLogin, nil)
		if assert.Equal(t, http.StatusOK, status, text) {
			assert.Equal(t, []string{"art", "own"}, resp.Auth.Policies)
		}
	}
	if kind.alone {
		other()
	}
	assert.Equal(t, named+1, m.lines(key), "once for several logins")

	if kind.where != "" {
		resp, status, text := m.run(operation{logical.ReadOperation, kind.where, nil}, key)
		say(resp, text)
		assert.Equal(t, http.StatusInternalServerError, status, text)
		assert.Contains(t, text, fmt.Sprintf("the entry %q in Vault's storage cannot be read", key))
		assert.Contains(t, text, "delete it")
	}
	if kind.list != "" {
		resp, status, text := m.do(logical.ListOperation, kind.list, nil)
		say(resp, text)
		require.Equal(t, http.StatusOK, status, text)
		assert.Contains(t, toStrings(resp.Data["keys"]), m.filled("{}", key))
	}
	if kind.patches {
		resp, status, text := m.run(operation{logical.PatchOperation, kind.where, fields{"mfa_methods": ""}}, key)
		say(resp, text)
		assert.Equal(t, http.StatusBadRequest, status, text)
		assert.Contains(t, text, "cannot be patched: write "+m.filled(kind.where, key)+" as a whole")
	}
	if kind.where == "config" {
		_, exists, err := m.backend.HandleExistenceCheck(t.Context(), m.request(logical.CreateOperation, "config", nil))
		assert.NoError(t, err)
		assert.True(t, exists)
	}
	assert.Equal(t, raw, m.stored(key), "nothing has changed it")

	resp, status, text := m.run(mend, key)
	say(resp, text)
	require.Equal(t, http.StatusOK, status, text)
	if !strings.HasSuffix(mend.path, "admin-destroy") {
		require.NotNil(t, resp)
		assert.Contains(t, strings.Join(resp.Warnings, "\n"), key, "what is lost")
	}
	if kind.write.path == mend.path && mend.op == logical.UpdateOperation {
		assert.NotEmpty(t, m.stored(key))
	} else {
		assert.Empty(t, m.stored(key))
	}
	if kind.alone {
		other()
	}
	resp, _, text = m.login(nil)
	say(resp, text)
	assert.NotContains(t, text, "cannot be read")
	m.start()
	_, _, text = m.login(nil)
	assert.NotContains(t, text, "cannot be read", "by storage, too")
	for _, name := range m.below("") {
		assert.NotContains(t, m.stored(name), spoiled, name)
	}
	assert.NotContains(t, m.logs.String()+strings.Join(texts, "\n"), spoiled)
}

// TestUnreadableEntryIsNamedNowAndThen: strangers cannot fill the log by it, and an
// operator who looks later finds it.
func TestUnreadableEntryIsNamedNowAndThen(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		m.plant(configKey, "{")
		for range 20 {
			m.refused(nil)
			m.do(logical.DeleteOperation, "groups/none", nil)
			m.do(logical.PatchOperation, "config", fields{"token_ttl": "1h"}) // reads storage
		}
		assert.Equal(t, 1, m.lines("key=config"))
		m.clock.advance(sightEvery)
		m.do(logical.PatchOperation, "config", fields{"token_ttl": "1h"})
		m.do(logical.PatchOperation, "config", fields{"token_ttl": "1h"})
		assert.Equal(t, 2, m.lines("key=config"))
	})
}

// TestUnreadableNoteIsWrittenAgain: a note of names is found again in the entries of users,
// by a login, a write and a deletion, and denies nobody.
func TestUnreadableNoteIsWrittenAgain(t *testing.T) {
	for what, raw := range damages {
		t.Run(what, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				id := m.addUser().ID
				m.okta.AddUser(otherLogin, testPassword)
				note := userNotesPrefix + id
				m.write("users/the boss", fields{"policies": "boss", "okta_id": id})
				m.write("users/deputy", fields{"policies": "deputy", "okta_id": id})
				m.write("users/else", fields{"policies": "else", "okta_id": "00u2"})
				spoil := func() {
					require.NoError(t, m.storage.Put(t.Context(), &logical.StorageEntry{Key: note, Value: []byte(raw)}))
					m.backend.InvalidateKey(t.Context(), note)
				}
				has := func(policies ...string) {
					t.Helper()
					assert.ElementsMatch(t, policies, m.mustLogin(nil).Policies)
				}
				spoil()
				_, status, text := m.loginAs(otherLogin, nil)
				assert.Equal(t, http.StatusOK, status, text)
				m.storage.fail(false, true)
				has("boss", "deputy") // on a node that cannot write
				m.storage.fail(false, false)
				has("boss", "deputy")
				assert.JSONEq(t, `{"names":["deputy","the boss"]}`, m.stored(note))
				assert.Equal(t, 1, m.lines(note))

				spoil()
				m.write("users/third", fields{"policies": "third", "okta_id": id})
				assert.JSONEq(t, `{"names":["deputy","the boss","third"]}`, m.stored(note))
				has("boss", "deputy", "third")
				spoil()
				m.do(logical.DeleteOperation, "users/third", nil)
				assert.JSONEq(t, `{"names":["deputy","the boss"]}`, m.stored(note))
				spoil()
				m.write("users/deputy", fields{"policies": "deputy", "okta_id": ""})
				assert.JSONEq(t, `{"names":["the boss"]}`, m.stored(note))
				has("boss")
				spoil()
				m.do(logical.DeleteOperation, "users/none", nil) // looks through all notes
				assert.JSONEq(t, `{"names":["the boss"]}`, m.stored(note))
				m.do(logical.DeleteOperation, "users/the boss", nil)
				has()
				spoil()
				has()
				assert.Empty(t, m.stored(note), "nobody is bound to it")
			})
		})
	}
}

// TestUnreadableNoteAndEntry: whether the entry is bound to the person cannot be known, so
// the person is denied until it is.
func TestUnreadableNoteAndEntry(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		id := m.addUser().ID
		m.okta.AddUser(otherLogin, testPassword)
		m.write("users/the boss", fields{"policies": "boss", "okta_id": id})
		for _, mend := range []operation{update("users/the boss", fields{"policies": "boss"}), remove("users/the boss")} {
			m.plant(userNotesPrefix+id, "{")
			m.plant(userPrefix+"the boss", "{")
			for range 2 {
				assert.Contains(t, m.refused(nil), "cannot be read")
				_, status, text := m.loginAs(otherLogin, nil)
				assert.Equal(t, http.StatusOK, status, text)
			}
			_, status, text := m.do(mend.op, mend.path, mend.data)
			require.Equal(t, http.StatusOK, status, text)
			assert.Empty(t, m.mustLogin(nil).Policies)
		}
		m.write("users/the boss", fields{"mfa_methods": m.createMethod("totp", fields{"issuer": "Acme"})})
		m.mustLogin(nil) // what the entry of another requires is nothing to them, whatever the note says
	})
}

// TestUnreadableMethodByName: nobody knows its name, so what is done by a name that no
// other method has says so, and does not take it for missing.
func TestUnreadableMethodByName(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "sound"})
		id := m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		key := methodPrefix + id
		m.plant(key, "{")
		for _, o := range []operation{
			{logical.ReadOperation, "mfa/method/totp/my_totp", nil}, remove("mfa/method/totp/my_totp"), remove("mfa/method/duo/my_totp"),
			update("mfa/method/totp/my_totp/admin-generate", fields{"username": "mia"}), update("mfa/method/totp/my_totp/admin-destroy", fields{"username": "mia"}),
			update("config", fields{"mfa_methods": "my_totp"}), update("groups/a", fields{"mfa_methods": id}),
			update("mfa/method/totp/"+id+"/admin-generate", fields{"username": "mia"}),
		} {
			_, status, text := m.do(o.op, o.path, o.data)
			assert.Equal(t, http.StatusInternalServerError, status, o)
			assert.Contains(t, text, key, o)
		}
		m.read("mfa/method/totp/sound")
		m.write("groups/everyone", fields{"mfa_methods": "sound"})
		_, status, text := m.do(logical.UpdateOperation, "mfa/method/totp/"+id+"/admin-destroy", fields{"username": "mia"})
		assert.Equal(t, http.StatusNotFound, status, text)

		resp, status, text := m.do(logical.ListOperation, "mfa/method/", nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Len(t, toStrings(resp.Data["keys"]), 2)
		info, _ := json.Marshal(resp.Data["key_info"])
		assert.Contains(t, string(info), unreadableProblem)
		assert.Contains(t, string(info), "sound")

		resp = m.write("mfa/method/totp/my_totp", fields{"issuer": "Acme"})
		assert.Contains(t, strings.Join(resp.Warnings, "\n"), key)
		assert.NotEqual(t, id, resp.Data["method_id"])
		assert.Len(t, m.below(methodPrefix), 3)
		m.write("config", fields{"mfa_methods": "my_totp"})
		assert.Contains(t, m.refused(nil), "MFA method my_totp: you have no key")
		resp, status, text = m.do(logical.DeleteOperation, "mfa/method/pingid/"+id, nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Contains(t, strings.Join(resp.Warnings, "\n"), key)
		assert.Len(t, m.below(methodPrefix), 2)
	})
}

// TestUnreadableMethodTakesItsKeysAlong: and stays while it is required by its id.
func TestUnreadableMethodTakesItsKeysAlong(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		m.addTOTP("my_totp")
		id := strings.TrimPrefix(m.below(methodPrefix)[0], methodPrefix)
		m.write("config", fields{"mfa_methods": id})
		m.plant(methodPrefix+id, "{")
		_, status, text := m.do(logical.DeleteOperation, "mfa/method/totp/"+id, nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "required by mfa_methods of config")
		_, status, text = m.do(logical.UpdateOperation, "mfa/method/totp/"+id, fields{"digits": 6})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "issuer", "a new one needs all that a new one needs")
		assert.Equal(t, "{", m.stored(methodPrefix+id))
		m.write("config", fields{"mfa_methods": ""})
		_, status, text = m.do(logical.DeleteOperation, "mfa/method/okta/"+id, nil)
		assert.Equal(t, http.StatusOK, status, text)
		assert.Empty(t, m.below("mfa/"))
	})
}

// TestUnreadableEntryMayRequireAMethod: so no method is renamed or deleted before it is
// known.
func TestUnreadableEntryMayRequireAMethod(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		path := "mfa/method/totp/" + m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		for _, key := range []string{configKey, userPrefix + "mia", groupPrefix + "a"} {
			before := m.stored(key)
			m.plant(key, "{")
			for _, o := range []operation{remove(path), update(path, fields{"method_name": "renamed"})} {
				_, status, text := m.do(o.op, o.path, o.data)
				assert.Equal(t, http.StatusInternalServerError, status, "%s %s", key, o)
				assert.Contains(t, text, key)
			}
			m.write(path, fields{"issuer": "New"})
			m.plant(key, before)
		}
		m.write("config/key", fields{"algorithm": "ES256"})
		m.plant(configKey, "{")
		_, status, text := m.do(logical.DeleteOperation, "config/key", nil)
		assert.Equal(t, http.StatusInternalServerError, status, "config may need the key")
		assert.Contains(t, text, `"config"`)
	})
}

// TestUnreadableUserInTheReportOnAliases: is in it, and the report is there.
func TestUnreadableUserInTheReportOnAliases(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("users/short", fields{"policies": "p"})
		m.plant(userPrefix+"mia@acme.test", "{")
		resp, status, text := m.do(logical.ListOperation, "config/aliases", nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.ElementsMatch(t, []string{"mia@acme.test", "short"}, toStrings(resp.Data["keys"]))
		m.plant(configKey, "{")
		_, status, text = m.do(logical.ListOperation, "config/aliases", nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Contains(t, text, "write config as a whole")
	})
}

// TestEntryThatBecomesUnreadable: what memory has of it does not outlive its time, and a
// renewal is refused, too.
func TestEntryThatBecomesUnreadable(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser()
		m.write("users/"+testLogin, fields{"policies": "own"})
		auth := issued(m.mustLogin(nil))
		key := userPrefix + testLogin
		require.NoError(t, m.storage.Put(t.Context(), &logical.StorageEntry{Key: key, Value: []byte("{")}))
		m.mustLogin(nil) // nobody has told the mount
		m.clock.advance(10 * time.Minute)
		assert.Contains(t, m.refused(nil), "cannot be read")
		_, status, text := m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status, text)
		assert.Contains(t, text, "cannot be read")
		m.write("users/"+testLogin, fields{"policies": "own"})
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text)
	})
}

// TestNextKeyThatIsUnreadable: keeps the current one from nothing, and is replaced.
func TestNextKeyThatIsUnreadable(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		first := m.write("config/key", fields{"algorithm": "ES256"}).Data["kid"].(string)
		m.write("config/key/rotate", fields{"algorithm": "ES256"})
		var keys map[string]any
		require.NoError(t, json.Unmarshal([]byte(m.stored(keysKey)), &keys))
		keys["next"].(map[string]any)["private_key"] = spoiled
		raw, err := json.Marshal(keys)
		require.NoError(t, err)
		m.plant(keysKey, string(raw))
		assert.Equal(t, []string{first}, m.jwks(t))
		for _, o := range []operation{{logical.ReadOperation, "config/key", nil}, update("config/key/promote", nil), update("config/key/promote", fields{"force": true})} {
			_, status, text := m.do(o.op, o.path, o.data)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "write config/key/rotate", o)
			assert.NotContains(t, text, spoiled)
		}
		m.write("config/key/rotate", fields{"algorithm": "ES256"})
		m.write("config/key/promote", nil)
		assert.NotContains(t, m.stored(keysKey), spoiled)
	})
}
