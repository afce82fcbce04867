// Package okta is a client for the three Okta APIs that a login needs: the
// Authentication API checks a password and the factors of its transaction, the users
// API knows accounts and their groups, and the Factors API verifies a factor outside
// of a transaction.
//
//	client, err := okta.New(okta.Config{OrgURL: "https://acme.okta.com", APIToken: okta.NewSecret(token)})
//	authn := client.For(okta.Caller{Address: "198.51.100.7", UserAgent: "Mozilla/5.0 …"})
//	tx, err := authn.Authenticate(ctx, "mia@acme.com", password)
//	groups, err := client.Groups(ctx, tx.User.ID)
//
// An open transaction continues with Verify, Resend, Previous or Skip, each of which
// returns its next state, and ends with Cancel. These calls, and those of the Factors
// API, are made on behalf of a person (see [Caller]), who may log in from a device that
// Okta knows (see [Device]). The program asks for groups and for the id of the org by
// itself.
//
// The package speaks in Okta's nouns, knows nothing of Vault, and decides nothing:
// package mfa says what a [Transaction] means for a login.
//
// Every request goes through one transport (transport.go), which promises:
//
//   - A request is delivered at most once. Nothing repeats it, and a closed connection
//     is an error.
//   - A request goes to the configured org only. Redirects are refused, links lead to
//     no other host, and cookies are not kept.
//   - A request ends. Its time and the size of its answer are bounded, and it stops
//     with the caller's context.
//   - Requests that anybody can cause leave room for the others (queue.go).
//   - An answer that is not a plain success, or that lacks what a login is authorized
//     by, is an error. It is an [*Error] where Okta sent one.
//   - No error quotes a name, a query or an answer, and secrets do not print (see
//     [Secret]). What a person has to read of an answer is apart from its error's text
//     (see [Error] and [UnreachableError]).
package okta
