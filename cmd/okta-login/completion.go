package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// printCompletion prints what makes a shell complete the flags.
func printCompletion(w io.Writer, shell string) error {
	var names []string
	flagSet(&options{}).VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	flags := strings.Join(names, " ")
	switch shell {
	case "bash":
		fmt.Fprintf(w, "complete -W %s okta-login\n", quote(flags))
	case "zsh":
		fmt.Fprintf(w, "compdef '_arguments \"*:flag:(%s)\"' okta-login\n", flags)
	case "fish":
		for _, name := range names {
			fmt.Fprintf(w, "complete -c okta-login -o %s\n", strings.TrimPrefix(name, "-"))
		}
	default:
		return fmt.Errorf("-completion must be bash, zsh or fish: %w", errUsage)
	}
	return nil
}
