package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"time"
)

// config is what the command line says.
type config struct {
	listen    string
	control   string
	duo       string
	pingID    string
	numbers   bool // PingID's number matching
	orgFile   string
	certOut   string
	readyFile string
	latency   time.Duration
	certLife  time.Duration
	version   bool
}

const usageHead = `okta-sim runs a fake Okta organization, with a fake Duo and a fake PingID beside
it, to try the Vault plugin without an account. Start it without flags and
follow what it prints.

Usage: okta-sim [flags]

`

const usageTail = `
Open the page that it prints in a browser: it has everybody's phones and codes.
The page uses the control API, which plays the user's part, for example:

  curl -X POST http://ADDRESS/push/approve                    all waiting pushes
  curl -X POST -d user=pia@acme.test http://ADDRESS/push/reject
  curl 'http://ADDRESS/totp?user=tom@acme.test'               the current code
  curl 'http://ADDRESS/code?user=sam@acme.test'               the code last sent
  curl 'http://ADDRESS/duo/passcode?user=mia@acme.test'       a new one of Duo
  curl 'http://ADDRESS/pingid/passcode?user=mia@acme.test'    sent by PingID, or of its app
  curl http://ADDRESS/state                                   users, waiting pushes
  curl http://ADDRESS/requests                                what Okta was asked

Stop it with Ctrl-C.
`

// parseFlags reads the command line. The error flag.ErrHelp means that help
// was asked for and printed to stdout.
func parseFlags(args []string, stdout, stderr io.Writer) (config, error) {
	var cfg config
	fs := flag.NewFlagSet("okta-sim", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are printed by the caller, once
	fs.StringVar(&cfg.listen, "listen", "127.0.0.1:0", "`address` for Okta's API over TLS; port 0 picks a free one")
	fs.StringVar(&cfg.control, "control", "127.0.0.1:0", "loopback `address` for the page and the control API over plain HTTP")
	fs.StringVar(&cfg.duo, "duo", "127.0.0.1:0", "`address` for Duo's API over TLS")
	fs.StringVar(&cfg.pingID, "pingid", "127.0.0.1:0", "`address` for PingID's API over TLS")
	fs.BoolVar(&cfg.numbers, "pingid-numbers", false, "let PingID ask for a number with each push")
	fs.StringVar(&cfg.orgFile, "org", "", "JSON `file` with the users, in place of the built-in ones")
	fs.StringVar(&cfg.certOut, "cert-out", "", "`file` to write the certificate authorities of all three to (default: a temporary one)")
	fs.StringVar(&cfg.readyFile, "ready-file", "", "`file` to write addresses, keys and users to as JSON, while all is listening")
	fs.DurationVar(&cfg.latency, "latency", 0, "`time` that every answer of Okta, Duo and PingID takes, such as 200ms")
	fs.DurationVar(&cfg.certLife, "cert-life", 365*24*time.Hour, "`time` for which Okta's certificate is good; a negative one makes it expired")
	fs.BoolVar(&cfg.version, "version", false, "print the version and exit")
	help := func(w io.Writer) {
		_, _ = io.WriteString(w, usageHead)
		fs.SetOutput(w)
		fs.PrintDefaults()
		_, _ = io.WriteString(w, usageTail)
	}
	fs.Usage = func() {}

	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			help(stdout)
		}
		return cfg, err
	}
	if fs.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected argument %q; see okta-sim -h", fs.Arg(0))
	}
	if cfg.latency < 0 {
		return cfg, fmt.Errorf("-latency must not be negative")
	}
	return cfg, checkLoopback(cfg.control)
}

// checkLoopback refuses addresses that other machines could reach: who can
// talk to the control API can approve any login.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-control: %w", err)
	}
	if !isLoopback(host) {
		return fmt.Errorf("-control %s: only a loopback address such as 127.0.0.1 is allowed", address)
	}
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
