// Package mfa takes a login from the right password to its last factor: first
// through Okta's own challenge, then through the methods that the mount requires.
//
// A [Session] is one login. A client that waits has it run to its end:
//
//	session, err := flow.Begin(ctx, tx, input) // as far as it goes without the person
//	err = session.Run(ctx)                     // polls the pushes until they are answered
//
// A client that does not wait continues it from request to request:
//
//	state, err := session.Continue(ctx, flow, input) // whatever the person gave next
//
// A [Mount] is what the logins of one mount share: the guard, which decides whether
// a phone may ring or a code be sent, the codes on their way, and the pace of the
// polls. A [Method] is a second factor that the mount requires, such as
// [OktaMethod], [TOTPMethod] or those of the packages duo and pingid. It prepares an
// [Attempt] for each login, which may be a [Push].
//
// Deciding is apart from doing. [Choose] and [Next] are pure functions over Okta's
// nouns: they name every documented state, and refuse any other.
//
// The package knows nothing of Vault: not of storage, paths, tokens or HTTP
// statuses. Its errors say what happened; the sentences that people read belong to
// the caller.
package mfa
