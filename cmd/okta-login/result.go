package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// printResult prints the result of a login in the format that was asked for.
func printResult(w io.Writer, o *options, auth *authAnswer) error {
	var err error
	switch o.format {
	case "json":
		_, err = fmt.Fprintf(w, "%s\n", auth.whole)
	case "token":
		_, err = fmt.Fprintln(w, auth.ClientToken)
	case "env":
		name := "VAULT_TOKEN"
		if o.openBao {
			name = "BAO_TOKEN"
		}
		_, err = fmt.Fprintf(w, "export %s=%s\n", name, quote(auth.ClientToken))
	default:
		_, err = fmt.Fprintf(w, "You are logged in as %s, for %s.\nPolicies: %s\n", clean(auth.Metadata["username"]),
			time.Duration(auth.LeaseDuration)*time.Second, clean(strings.Join(auth.Policies, ", ")))
	}
	return err
}

// quote quotes a value for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
