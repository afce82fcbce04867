package oktatest_test

import (
	"net/url"
	"testing"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// TestSpellingsOfOnePerson: who logs in as whatever is the person of the one login,
// which the answer spells as Okta does.
func TestSpellingsOfOnePerson(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	mia := srv.AddUser("Mia@acme.test", password)
	srv.AddUser("eve@acme.test", password)
	for _, name := range []string{
		"Mia@acme.test", "mia@acme.test", "MIA@ACME.TEST", "mia", "MIA", "m\u00eda", "mi\u0301a", "MI\u0301A",
		"m\u00eda@acme.test", "mi\u0301a@acme.test", "M\u00cdA@ACME.TEST", "MI\u0301A@acme.test", "m\u00efa@acme.test", "m\u0129\u00e0@acm\u00e9.test",
		"\uff4d\uff49\uff41@acme.test", // wide letters
		"mia@\u0100cme.test",
	} {
		r := c.login(name, password).is(t, 200, "SUCCESS")
		if got := r.str("_embedded", "user", "id"); got != mia.ID {
			t.Errorf("%+q: user id = %q, want %q", name, got, mia.ID)
		}
		if got := r.str("_embedded", "user", "profile", "login"); got != "Mia@acme.test" {
			t.Errorf("%+q: login = %q, want Okta's own spelling", name, got)
		}
		if got := c.get("/api/v1/users/"+url.PathEscape(name)).is(t, 200, "ACTIVE").str("id"); got != mia.ID {
			t.Errorf("%+q: the Users API finds %q, want %q", name, got, mia.ID)
		}
	}
	for _, name := range []string{"mia@", "mi", "mia@acme", "mia@acme.testx", "miia@acme.test", "@acme.test", "mia @acme.test"} {
		c.login(name, password).is(t, 401, "E0000004")
	}
}

// TestLoginsThatDifferByAMark: where both exist, each is found by its own spelling
// in any case, and a third spelling finds neither.
func TestLoginsThatDifferByAMark(t *testing.T) {
	t.Parallel()
	_, srv := newClient(t)
	jose, josé := srv.AddUser("jose@acme.test", password), srv.AddUser("jos\u00e9@acme.test", password)
	if jose.ID == josé.ID {
		t.Fatalf("two people have the id %s", jose.ID)
	}
	for name, want := range map[string]*oktatest.User{
		"jose@acme.test": jose, "JOSE@acme.test": jose, "jose": jose,
		"jos\u00e9@acme.test": josé, "JOSE\u0301@ACME.test": josé, "jose\u0301": josé, "JOS\u00c9": josé,
		"jos\u00e8@acme.test": nil, "jos\u00e8": nil,
	} {
		if got := srv.User(name); got != want {
			t.Errorf("%+q finds %v, want %v", name, got, want)
		}
	}
	josé.Delete()
	if got := srv.User("jos\u00e9@acme.test"); got != jose {
		t.Error("the login that is left is not found without its mark")
	}
}

func TestShortNames(t *testing.T) {
	t.Parallel()
	_, srv := newClient(t)
	bare := srv.AddUser("tom", password)
	tom := srv.AddUser("tom@acme.test", password)
	ann := srv.AddUser("ann@acme.test", password)
	for name, want := range map[string]*oktatest.User{"tom": bare, "T\u00d3M": bare, "tom@acme.test": tom, "ann": ann} {
		if got := srv.User(name); got != want {
			t.Errorf("%q finds %v, want %v", name, got, want)
		}
	}
	srv.AddUser("\u00e1nn@other.test", password)
	if got := srv.User("ann"); got != ann {
		t.Errorf("ann finds %v, want the one whose short name it is", got)
	}
	srv.AddUser("Ann@other.test", password)
	if got := srv.User("ann"); got != nil {
		t.Errorf("ann finds %v, want nobody: two people have that short name", got)
	}
	bare.SetLogin("bob@acme.test")
	if got := srv.User("b\u00f6b"); got != bare {
		t.Errorf("a new login is not found by its short name: %v", got)
	}
}

func TestSameLogin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"mia@acme.test", "MIA@Acme.test", true},
		{"m\u00eda", "mi\u0301a", true},
		{"m\u00eda", "MI\u0301A", true},
		{"mia", "m\u00eda", false},
		{"mia", "mia@acme.test", false},
	} {
		if got := oktatest.SameLogin(tc.a, tc.b); got != tc.want {
			t.Errorf("SameLogin(%+q, %+q) = %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
	_, srv := newClient(t)
	srv.AddUser("m\u00eda@acme.test", password)
	defer func() {
		if recover() == nil {
			t.Error("a login is taken twice")
		}
	}()
	srv.AddUser("MI\u0301A@acme.test", password)
}
