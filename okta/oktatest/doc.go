// Package oktatest is a small Okta organization for tests, in the spirit of
// net/http/httptest. It keeps users, groups, factors and open transactions,
// and answers Okta's authentication, users and factors APIs over TLS.
//
// A test says who exists, and looks at the outcome and at the requests:
//
//	srv := oktatest.NewServer(t)
//	mia := srv.AddUser("mia.ito@acme.test", "password")
//	mia.SetGroups("Everyone", "Scientists")
//	phone := mia.AddPush("WAITING", "SUCCESS")
//
//	// ... log in at srv.URL, trusting srv.CertPool() ...
//
//	if n := phone.Pushes(); n != 1 {
//		t.Errorf("sent %d pushes, want 1", n)
//	}
//	for _, r := range srv.Requests() {
//		t.Log(r.Method, r.Path, r.Status)
//	}
//
// With the zero [Options] the organization answers as Okta documents. Where Okta
// documents nothing, a comment says what is assumed. An option or a [Fault]
// makes the other answers that clients must survive.
//
// People are found by every spelling of their names that Okta takes for one; see
// [Org.User].
//
// The package writes and reads its own JSON and shares no type with the
// client it tests, so that a misspelt field cannot agree with itself. All
// methods may be called from several goroutines at once.
package oktatest
