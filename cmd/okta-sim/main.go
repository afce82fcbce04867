// Command okta-sim runs a fake Okta organization, and a fake Duo and a fake
// PingID beside it, to try the plugin without an account, a phone or a network.
//
//	okta-sim
//
// It prints where it listens, the API token, the certificates to trust, the
// address of a page with everybody's phones, the
// users with their passwords, and the commands that play the user's part:
// to approve a push, or to get the current code of an authenticator app; and
// those that let a mount ask for Duo or PingID, where every user of the
// organization has a phone, under their login.
//
// Another organization comes from a file (-org). The format is that of
// default-org.json beside this file:
//
//	{
//	  "users": [
//	    {
//	      "login": "mia@acme.test",
//	      "email": "mia.ito@acme.test",
//	      "password": "correct-horse",
//	      "status": "ACTIVE",
//	      "groups": ["Everyone", "Scientists"],
//	      "app_groups": ["Domain Admins"],
//	      "more_groups": 448,
//	      "factors": [
//	        {"type": "totp", "provider": "GOOGLE"},
//	        {"type": "push", "name": "Mia's phone", "number": 47, "number_from_poll": 2},
//	        {"type": "push", "script": ["WAITING", "SUCCESS"]},
//	        {"type": "sms"}
//	      ]
//	    }
//	  ]
//	}
//
// Only login and password are needed. The email is the login by default; it
// is what a search for users finds, and nobody can log in with it. The
// statuses are those of [oktatest.User.SetStatus], ACTIVE by default; users
// without groups are in Everyone; app_groups come from a directory;
// more_groups adds so many numbered ones. A push waits until the control API
// decides, unless it has a script; see [oktatest.User.AddPush]. The provider
// is OKTA by default.
//
// The control API is plain HTTP, on a loopback address only:
//
//	GET  /                      a page for a browser, which uses all that follows
//	GET  /state                 who exists, what their devices show, and which pushes wait
//	POST /push/approve          approve all waiting pushes, or those of user=, device= or service=
//	POST /push/reject           reject them
//	POST /push/number           pick number= on the phone of user=
//	GET  /code?user=            what completes a factor now; factor= if there are several
//	GET  /totp?user=            the current code; provider= if there are several
//	GET  /duo/passcode?user=    a new passcode of Duo, good for one login
//	GET  /pingid/passcode?user= the code that PingID has sent, or a new one of its app
//	POST /token/next            the RSA or Symantec token of user= has to show two codes
//	POST /users/status          give user= a status=
//	POST /faults                let where= fail by fault=
//	POST /latency               how long each answer takes: latency=
//	GET  /requests              what Okta was asked so far, with secrets masked
//
// A push may be of Okta, Duo or PingID; one of a device= is of Okta.
// A push counts the same whether a login sent it or the Factors API.
// Requests that come from other websites, by a browser, are refused.
//
// Everything in the organization is made up. Do not give it real passwords.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
