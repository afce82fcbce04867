// Package mfa decides what an answer of Okta's Authentication API means for a
// login, and sees a login's second factor through.
//
// Deciding is apart from doing. [Choose] and [Next] are pure functions over
// Okta's nouns: a value in, a value out, every documented state named and every
// other one refused. [Login] does what they decide: it tries a passcode, has a
// code sent, or makes phones ring.
//
// A Login goes on by itself, or from call to call; it is one machine:
//
//	login, err := flow.Start(ctx, tx, want) // as far as it goes without the person
//	err = login.Wait(ctx)                   // a push is answered, or not
//
//	state, err := login.Continue(ctx, want) // or: whatever the person says next
//
// [Guard] and [Codes] are what the logins of one mount know of each other: who is
// being asked by push, and which codes are on their way.
//
// The package knows nothing of Vault: not of storage, paths, tokens or HTTP
// statuses. The sentences that people read belong to the caller; the errors here
// tell it apart what happened.
package mfa
