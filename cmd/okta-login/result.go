package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// printResult prints the result of a login in the format that was asked for.
func printResult(w io.Writer, o *options, answer *api.Secret) error {
	auth := answer.Auth
	switch o.format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(answer)
	case "token":
		_, err := fmt.Fprintln(w, auth.ClientToken)
		return err
	case "env":
		_, err := fmt.Fprintf(w, "export %s=%s\n", o.variable("TOKEN"), quote(auth.ClientToken))
		return err
	}
	_, err := fmt.Fprintf(w, "You are logged in as %s, for %s.\nPolicies: %s\n", clean(auth.Metadata["username"]),
		duration(time.Duration(auth.LeaseDuration)*time.Second), clean(strings.Join(auth.Policies, ", ")))
	if err == nil && o.noStore {
		_, err = fmt.Fprintf(w, "Token: %s\n", auth.ClientToken)
	}
	return err
}

// duration is a duration as people say it, rounded up.
func duration(d time.Duration) string {
	unit, name := time.Hour, "hours"
	switch {
	case d < 2*time.Minute:
		unit, name = time.Second, "seconds"
	case d < 2*time.Hour:
		unit, name = time.Minute, "minutes"
	}
	return fmt.Sprintf("%d %s", (d+unit-1)/unit, name)
}

// quote quotes a value for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
