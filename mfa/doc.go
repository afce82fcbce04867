// Package mfa decides what an answer of Okta's Authentication API means for a
// login, and sees a login's second factor through.
//
// Deciding is apart from doing. [Choose] and [Next] are pure functions over
// Okta's nouns: a value in, a value out, every documented state named and every
// other one refused. [Login] does what they decide: it answers a passcode
// factor or starts a push and waits for the person.
//
// The package knows nothing of Vault: not of storage, paths, tokens or HTTP
// statuses. The sentences that people read belong to the caller; the errors here
// tell it apart what happened.
package mfa
