// Package mfatest has small services for tests, in the spirit of
// net/http/httptest: a Duo and a PingID, which check requests as the real ones do
// and answer over TLS.
//
// A test says who exists, and looks at the outcome and at what was asked:
//
//	srv := mfatest.NewDuo(t)
//	mia := srv.AddUser("mia.ito@acme.test")
//	mia.AddPhone("push", "mobile_otp")
//	mia.Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
//
//	// ... log in at srv.Host(), trusting srv.CertPool() ...
//
//	if n := mia.Pushes(); n != 1 {
//		t.Errorf("sent %d pushes, want 1", n)
//	}
//
// A push whose outcome is not scripted waits for Approve or Reject. A [Fault]
// makes a service fail.
//
// The package signs and checks by its own code and shares no type with the
// clients it tests. It does not import testing, so that a command can use it. All
// methods may be called from several goroutines at once.
package mfatest
