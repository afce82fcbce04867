package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// guide is what to try. The first part goes to the terminal, and the steps to the page
// of the simulator. No login is stored: the reader's ~/.vault-token stays as it is. The
// root token is in a file that only the developer can read, because others on the
// machine can read the page.
var guide = template.Must(template.New("").Funcs(template.FuncMap{"quote": shellQuote}).Parse(`
{{- define "terminal"}}
Vault with the plugin is up, with a simulated Okta. Open its page in a browser:

  {{.Control}}/

In another terminal:

  export VAULT_ADDR={{.Addr}}

  # By password:
  {{template "login" .}} username={{.Who.Plain.Login}} password={{.Who.Plain.Password}}

  # By a push, which you approve on the page:
  {{template "login" .}} username={{.Who.Push.Login}} password={{.Who.Push.Password}}

  # By the passcode of an app, which the page shows, too:
  {{template "login" .}} username={{.Who.TOTP.Login}} password={{.Who.TOTP.Password}} \
    totp=$(curl -s '{{.Control}}/totp?user={{.Who.TOTP.Login}}')

The page has more to try. Vault's log: {{.Log}}
Ctrl-C stops everything.
{{end}}

{{- define "login"}}{{.Vault}} login -no-store -method=okta{{end}}

{{- define "steps"}}# Before all others: where Vault is
export VAULT_ADDR={{.Addr}}

# Log in by password
{{template "login" .}} username={{.Who.Plain.Login}} password={{.Who.Plain.Password}}

# Log in without the tool
curl -X POST -d '{"password":"{{.Who.Plain.Password}}"}' $VAULT_ADDR/v1/auth/okta/login/{{.Who.Plain.Login}}

# Log in by a push, and approve or reject it above
{{template "login" .}} username={{.Who.Push.Login}} password={{.Who.Push.Password}}

# Log in by a push with a number, which the command shows and the phone asks for
{{template "login" .}} username={{.Who.Number.Login}} password={{.Who.Number.Password}}

# Log in by a push to several phones: one that approves is enough
{{template "login" .}} username={{.Who.Phones.Login}} password={{.Who.Phones.Password}}

# Log in by the passcode of an app: each works once
{{template "login" .}} username={{.Who.TOTP.Login}} password={{.Who.TOTP.Password}} \
  totp=$(curl -s '{{.Control}}/totp?user={{.Who.TOTP.Login}}')

# Log in by SMS: the first command has a code sent, the second brings it
{{template "login" .}} username={{.Who.Text.Login}} password={{.Who.Text.Password}}
{{template "login" .}} username={{.Who.Text.Login}} password={{.Who.Text.Password}} \
  totp=$(curl -s '{{.Control}}/code?user={{.Who.Text.Login}}')

# Log in without waiting: the first answer has a transaction_id with which you continue the login
curl -X POST -d '{"password":"{{.Who.Push.Password}}","wait":false}' $VAULT_ADDR/v1/auth/okta/login/{{.Who.Push.Login}}
curl -X POST -d '{"transaction_id":"…"}' $VAULT_ADDR/v1/auth/okta/login/{{.Who.Push.Login}}

# Look at the mount as root; the next steps need as_root, too
as_root() { VAULT_TOKEN=$(cat {{quote .RootFile}}) {{.Vault}} "$@"; }
as_root read auth/okta/config
as_root list auth/okta/users

# Require passcodes of an app from the group {{.Group}}, and let Vault be that app
id=$(as_root write -field=method_id auth/okta/mfa/method/totp method_name=my_totp issuer=Acme)
url=$(as_root write -field=url auth/okta/mfa/method/totp/$id/admin-generate username={{.Who.Plain.Login}})
as_root write auth/okta/groups/{{.Group}} policies=group-policy mfa_methods=my_totp
as_root auth tune -passthrough-request-headers=X-Vault-MFA okta/
as_root secrets enable totp
as_root write totp/keys/my_app url="$url"
{{template "login" .}} -mfa=my_totp:$(as_root read -field=code totp/code/my_app) \
  username={{.Who.Plain.Login}} password={{.Who.Plain.Password}}

# Add Duo and PingID, to be required in place of my_totp; their pushes come to the page
as_root write auth/okta/mfa/method/duo method_name=my_duo api_hostname={{.Duo.APIHostname}} integration_key={{.Duo.IntegrationKey}} secret_key={{.Duo.SecretKey}}
as_root write auth/okta/mfa/method/pingid method_name=my_ping settings_file_base64={{.PingID.SettingsFile}}

# Require nothing more than Okta does again
as_root write auth/okta/groups/{{.Group}} policies=group-policy mfa_methods=
{{end}}`))

// step is something to try, as the page shows it.
type step struct {
	Title    string `json:"title"`
	Commands string `json:"commands"`
}

// steps are those of the template: paragraphs whose first line is a comment, the title.
func steps(text string) (list []step) {
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		title, commands, _ := strings.Cut(paragraph, "\n")
		list = append(list, step{strings.TrimPrefix(title, "# "), commands})
	}
	return list
}

// showGuide prints the first commands to try, and hands the others to the page. All work
// as they are printed.
func showGuide(ctx context.Context, w io.Writer, bin, rootFile string, v *harness.Vault, sim *simulator, who cast) error {
	data := map[string]any{
		"Addr": v.Addr, "RootFile": rootFile, "Log": v.LogPath, "Vault": commandName(bin),
		"Who": who, "Group": who.Plain.group(), "Control": sim.ControlURL, "Duo": sim.Duo, "PingID": sim.PingID,
	}
	var text bytes.Buffer
	if err := guide.ExecuteTemplate(&text, "steps", data); err != nil {
		return err
	}
	body, err := json.Marshal(steps(text.String()))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sim.ControlURL+"/guide", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("giving okta-sim the guide: HTTP status %d", res.StatusCode)
	}
	return guide.ExecuteTemplate(w, "terminal", data)
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
