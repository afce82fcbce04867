package main

import (
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

var guide = template.Must(template.New("").Funcs(template.FuncMap{"quote": shellQuote}).Parse(`
Vault with the plugin is up, with a simulated Okta, Duo and PingID. In another terminal:

  export VAULT_ADDR={{.Addr}}

  # Log in by password:
  {{.Vault}} login -method=okta username={{.Who.Plain.Login}} password={{.Who.Plain.Password}}

  # The same without the tool:
  curl -X POST -d '{"password":"{{.Who.Plain.Password}}"}' $VAULT_ADDR/v1/auth/okta/login/{{.Who.Plain.Login}}

  # Log in with a passcode, each of which works once:
  {{.Vault}} login -method=okta username={{.Who.Next.Login}} password={{.Who.Next.Password}} \
    totp=$(curl -s '{{.Control}}/totp?user={{.Who.Next.Login}}')

  # Log in with a push; while it waits, answer it from a third terminal:
  {{.Vault}} login -method=okta username={{.Who.Push.Login}} password={{.Who.Push.Password}}
  curl -X POST {{.Control}}/push/approve
  curl -X POST {{.Control}}/push/reject

  # Where several phones ring, one that approves is enough:
  {{.Vault}} login -method=okta username={{.Who.Phones.Login}} password={{.Who.Phones.Password}}
  curl -X POST -d user={{.Who.Phones.Login}} --data-urlencode {{quote (print "device=" (index .Who.Phones.Factors 1).Name)}} {{.Control}}/push/approve

  # Log in with a code by SMS: the first command has it sent, the second brings it:
  {{.Vault}} login -method=okta username={{.Who.Text.Login}} password={{.Who.Text.Password}}
  {{.Vault}} login -method=okta username={{.Who.Text.Login}} password={{.Who.Text.Password}} \
    totp=$(curl -s '{{.Control}}/code?user={{.Who.Text.Login}}')

  # Log in without waiting: the first answer has a transaction_id to go on with:
  curl -X POST -d '{"password":"{{.Who.Push.Password}}","wait":false}' $VAULT_ADDR/v1/auth/okta/login/{{.Who.Push.Login}}
  curl -X POST -d '{"transaction_id":"…"}' $VAULT_ADDR/v1/auth/okta/login/{{.Who.Push.Login}}

  # Look at the mount as root:
  VAULT_TOKEN={{.Root}} {{.Vault}} read auth/okta/config
  VAULT_TOKEN={{.Root}} {{.Vault}} list auth/okta/users

  # A second factor of the mount's own: passcodes of an authenticator app, for the group {{.Group}}:
  as_root() { VAULT_TOKEN={{.Root}} {{.Vault}} "$@"; }
  id=$(as_root write -field=method_id auth/okta/mfa/method/totp method_name=my_totp issuer=Acme)
  url=$(as_root write -field=url auth/okta/mfa/method/totp/$id/admin-generate username={{.Who.Plain.Login}})
  as_root write auth/okta/groups/{{.Group}} policies=group-policy mfa_methods=my_totp
  as_root auth tune -passthrough-request-headers=X-Vault-MFA okta/

  # Vault can be the app that has the key; each passcode works once. (The warning about the header is Vault's own.)
  as_root secrets enable totp
  as_root write totp/keys/my_app url="$url"
  {{.Vault}} login -method=okta -mfa=my_totp:$(as_root read -field=code totp/code/my_app) \
    username={{.Who.Plain.Login}} password={{.Who.Plain.Password}}

  # Duo and PingID, to be required in place of my_totp. Their pushes are answered like Okta's:
  as_root write auth/okta/mfa/method/duo method_name=my_duo api_hostname={{.Duo.APIHostname}} integration_key={{.Duo.IntegrationKey}} secret_key={{.Duo.SecretKey}}
  as_root write auth/okta/mfa/method/pingid method_name=my_ping settings_file_base64={{.PingID.SettingsFile}}

  # Require nothing more than Okta does again:
  as_root write auth/okta/groups/{{.Group}} policies=group-policy mfa_methods=

Users of the simulated org:
{{range .Users}}
  {{.Login}}, password {{.Password}}, {{len .Groups}} groups{{if ne .Status "ACTIVE"}}, {{.Status}}{{end}}{{range .Factors}}, {{.}}{{end}}{{end}}

What answers a user's factor now, a code sent, a token's code or an answer:

  curl '{{.Control}}/code?user={{.Who.Text.Login}}'

Vault's log: {{.Log}}
Ctrl-C stops everything.
`))

// printGuide says what to try, in commands that work as they are printed.
func printGuide(w io.Writer, bin string, v *harness.Vault, sim *simulator, who cast) error {
	return guide.Execute(w, map[string]any{
		"Addr": v.Addr, "Root": v.RootToken, "Log": v.LogPath, "Vault": commandName(bin),
		"Who": who, "Group": who.Plain.group(), "Users": sim.Users, "Control": sim.ControlURL, "Duo": sim.Duo, "PingID": sim.PingID,
	})
}

// commandName is what to type for a binary: its name if PATH leads to it, else
// its path, quoted for a shell.
func commandName(bin string) string {
	if found, err := exec.LookPath("vault"); err == nil {
		if found, err = filepath.Abs(found); err == nil && found == bin {
			return "vault"
		}
	}
	return shellQuote(bin)
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
