// Command bench measures logins by the plugin beside those by Vault's builtin
// Okta method, under one real Vault server, against a simulated Okta each. Run
// it as "make bench" or "make bench-quick".
//
// Also measured, as floors:
//
//   - toy, an auth plugin that does nothing but the calls to Okta: what Vault's
//     plugin protocol allows;
//   - approle and userpass, logins without a plugin and without Okta: what Vault
//     itself takes (that of userpass is mostly bcrypt);
//   - bare, the calls to Okta alone, by a client without Vault: what the
//     simulator and the network take.
//
// A row of the result is one kind of load. It is run in short rounds that
// alternate between the subjects, in an order that rotates, so that whatever
// else the machine does falls on all of them; ratios are made within a round,
// and the median of these is told. Workers log in one after another without a
// pause: with more workers than cores the machine is full, and latency tells of
// throughput.
//
// The orgs run in this process. Their work, and that of the clients, is not
// counted in Vault's and the plugin's CPU time, but shares the machine with
// them: it is a part of every latency, which row "bare" shows.
package main
