// Package okta is a thin client for the two Okta APIs that a login needs: the
// Authentication API (password and factors) and the list of a user's groups.
//
//	client, err := okta.New(okta.Config{OrgURL: "https://acme.okta.com", APIToken: token})
//	authn := client.For(okta.Caller{Address: "198.51.100.7", UserAgent: "Mozilla/5.0 …"})
//	tx, err := authn.Authenticate(ctx, "mia@acme.com", password)
//	groups, err := client.Groups(ctx, tx.User.ID)
//
// A transaction that is not over goes on with Verify, Resend, Previous or Skip,
// each of which returns the next one, or ends with Cancel. All these calls are
// made on behalf of a person (see Caller); the list of groups is asked for by the
// program itself.
//
// It speaks in Okta's nouns, knows nothing of Vault, and decides nothing: what
// a Transaction means for a login is for package mfa to say.
//
// Every request goes through one transport (see transport.go) with these
// properties, whoever builds the request:
//
//   - it is delivered at most once: nothing here repeats a request, and a closed
//     connection is an error;
//   - it goes to the configured org only: redirects are refused, links in
//     answers are never followed to a host, cookies are not kept;
//   - it ends: its time and the size of its answer are bounded, and it stops
//     with the caller's context;
//   - an answer that is not a plain success is an error, an [*Error] where Okta
//     said it.
package okta
