package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"
)

// options are what the command line and the environment say.
type options struct {
	address, mount, namespace, username string
	caCert, caPath, serverName          string
	clientCert, clientKey               string
	skipVerify                          bool

	factor, provider       string
	device                 string
	mfa                    list
	noStore, noDeviceToken bool
	format                 string
	completion             string
	help, version          bool

	openBao bool // the person uses bao, see asVault
}

// stores reports whether the token is kept for later commands. The formats for
// programs hand it on instead, as "vault login -token-only" does.
func (o *options) stores() bool {
	return !o.noStore && o.format != "env" && o.format != "token"
}

// variable is the name of a variable of the person's command line tool.
func (o *options) variable(name string) string {
	if o.openBao {
		return "BAO_" + name
	}
	return "VAULT_" + name
}

// formats are the values of -format. Without it, people read the result.
var formats = []string{"json", "env", "token"}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// flagSet binds the flags to the options. It is the only list of them: help,
// completion and the tests of the documents go through it.
func flagSet(o *options) *flag.FlagSet {
	f := flag.NewFlagSet("okta-login", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.address, "address", o.address, "`URL` of the server (VAULT_ADDR, BAO_ADDR)")
	f.StringVar(&o.mount, "mount", "okta", "`path` of the auth mount")
	f.StringVar(&o.namespace, "namespace", o.namespace, "`namespace` of the mount (VAULT_NAMESPACE, BAO_NAMESPACE)")
	f.StringVar(&o.factor, "factor", "", "`type` of the factor: push, totp, sms, call, email, token or question")
	f.StringVar(&o.provider, "provider", "", "`maker` of the authenticator app or token, such as okta or google")
	f.StringVar(&o.device, "device", "", "`name` of the phone or address that gets the push or the code")
	f.Var(&o.mfa, "mfa", "`credential` for an MFA method of the mount, as method or method:passcode, which other users of this machine can see; may be repeated")
	f.BoolVar(&o.noStore, "no-store", false, "print the token, and do not keep it")
	f.StringVar(&o.format, "format", "", "`format` of the result: json; env or token print the token and do not keep it")
	f.BoolVar(&o.noDeviceToken, "no-device-token", false, "do not let Okta recognize this device")
	f.StringVar(&o.caCert, "ca-cert", o.caCert, "`file` with the certificates to trust (VAULT_CACERT, BAO_CACERT)")
	f.StringVar(&o.caPath, "ca-path", o.caPath, "`directory` with the certificates to trust (VAULT_CAPATH, BAO_CAPATH)")
	f.StringVar(&o.clientCert, "client-cert", o.clientCert, "`file` with the certificate of this client (VAULT_CLIENT_CERT, BAO_CLIENT_CERT)")
	f.StringVar(&o.clientKey, "client-key", o.clientKey, "`file` with its private key (VAULT_CLIENT_KEY, BAO_CLIENT_KEY)")
	f.StringVar(&o.serverName, "tls-server-name", o.serverName, "`name` that the server's certificate is for (VAULT_TLS_SERVER_NAME, BAO_TLS_SERVER_NAME)")
	f.BoolVar(&o.skipVerify, "tls-skip-verify", o.skipVerify, "do not check the server's certificate: for tests only (VAULT_SKIP_VERIFY, BAO_SKIP_VERIFY)")
	f.StringVar(&o.completion, "completion", "", "print the completion of a `shell`: bash, zsh or fish")
	f.BoolVar(&o.version, "version", false, "print the version")
	f.BoolVar(&o.help, "help", false, "print this help")
	return f
}

// parse reads the command line. Flags may stand before and after the username, and above
// the variables that Vault's client library reads.
func parse(args []string, openBao bool) (*options, error) {
	o := &options{openBao: openBao, address: cmp.Or(os.Getenv(api.EnvVaultAgentAddr), os.Getenv(api.EnvVaultAddress), api.DefaultAddress)}
	for variable, option := range map[string]*string{
		api.EnvVaultNamespace: &o.namespace, api.EnvVaultCACert: &o.caCert, api.EnvVaultCAPath: &o.caPath,
		api.EnvVaultClientCert: &o.clientCert, api.EnvVaultClientKey: &o.clientKey, api.EnvVaultTLSServerName: &o.serverName,
	} {
		*option = os.Getenv(variable)
	}
	o.skipVerify, _ = strconv.ParseBool(os.Getenv(api.EnvVaultSkipVerify)) // newServer refuses what is neither
	f := flagSet(o)
	for rest := args; ; rest = f.Args()[1:] {
		if err := f.Parse(rest); errors.Is(err, flag.ErrHelp) {
			o.help = true
			return o, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", err, errUsage)
		}
		if f.NArg() == 0 {
			break
		}
		if o.username != "" {
			return nil, fmt.Errorf("one username is enough, and %q is another: %w", f.Arg(0), errUsage)
		}
		o.username = f.Arg(0)
	}
	o.mount = strings.Trim(o.mount, "/")
	switch {
	case o.mount == "":
		return nil, fmt.Errorf("-mount must name the path of the auth mount, such as okta: %w", errUsage)
	case o.format != "" && !slices.Contains(formats, o.format):
		return nil, fmt.Errorf("-format must be one of %s: %w", strings.Join(formats, ", "), errUsage)
	}
	return o, nil
}

// asVault returns the variables to set so that Vault's client library, which reads VAULT_*
// alone, finds what is meant for OpenBao. They are none unless some BAO_* is set and
// VAULT_ADDR is not. As for bao, a BAO_* that is set stands above the VAULT_* of that name,
// even where it is empty.
func asVault(environ []string) map[string]string {
	vault, bao := "", map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if name == api.EnvVaultAddress {
			vault = value
		}
		if name, is := strings.CutPrefix(name, "BAO_"); is {
			bao["VAULT_"+name] = value
		}
	}
	if vault != "" || len(bao) == 0 {
		return nil
	}
	if _, ok := bao[api.EnvVaultAgentAddr]; !ok && bao[api.EnvVaultAddress] != "" {
		bao[api.EnvVaultAgentAddr] = "" // which would stand above BAO_ADDR
	}
	bao["VAULT_CONFIG_PATH"] = cmp.Or(bao["VAULT_CONFIG_PATH"], "~/.bao")
	return bao
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "Usage: okta-login [flags] [username]\n\n"+
		"Log in to Vault or OpenBao through the Okta auth method, and keep the token.\n\nFlags:\n")
	f := flagSet(&options{})
	f.SetOutput(w)
	f.PrintDefaults()
	fmt.Fprintf(w, "\nExit codes: 0 logged in, %d refused, %d wrong command line, %d something has to be asked and this is no\n"+
		"terminal, %d the server cannot be reached, %d the token could not be stored, %d interrupted.\n",
		exitRefused, exitUsage, exitNoTerminal, exitUnavailable, exitNotStored, exitInterrupted)
}
