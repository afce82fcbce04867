package backend

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file holds what the connection to Okta is made of: the org's URL and the API
// token.

// checkToken refuses what could not be sent in an HTTP header: control characters. It
// never quotes the token.
func checkToken(token string) error {
	if !utf8.ValidString(token) || strings.ContainsFunc(token, unicode.IsControl) {
		return invalid("api_token", "must be text without control characters, such as line ends")
	}
	return nil
}

// connectionProblems returns what is wrong with the org's URL and the API token, each
// field by itself.
func (cfg *configEntry) connectionProblems() (problems []problem) {
	if err := checkToken(cfg.Token); err != nil {
		problems = append(problems, wrong(err, "api_token", "token"))
	}
	org, base := configEntry{Organization: cfg.Organization}, *cfg
	base.Organization = "acme"
	if _, err := org.orgURL(); err != nil {
		problems = append(problems, wrong(err, "org_name", "organization"))
	}
	if _, err := base.orgURL(); err != nil {
		problems = append(problems, wrong(err, "base_url", "production"))
	}
	return problems
}

// The hosts that complete an org name if base_url is empty.
const (
	productionHost = "okta.com"
	previewHost    = "oktapreview.com"
)

// orgURL returns the URL of the org, or an error that names the wrong field.
func (cfg *configEntry) orgURL() (string, error) {
	if cfg.Organization == "" {
		return "", invalid("org_name", `is required: the first label of the org's host, "acme" of acme.okta.com`)
	}
	if !okta.ValidHostLabel(cfg.Organization) {
		return "", invalid("org_name", `must be the first label of the org's host, "acme" of acme.okta.com`)
	}
	if strings.Contains(cfg.BaseURL, "://") {
		return parseOrgURL("base_url", cfg.BaseURL)
	}
	if okta.IsAdminHost(cfg.Organization) {
		return "", invalid("org_name", "must not be the host of the admin console (-admin)")
	}
	if okta.IsAdminHost(cfg.BaseURL) {
		return "", invalid("base_url", "must not be the host of the admin console (-admin)")
	}
	host := cfg.BaseURL
	if host == "" {
		host = productionHost
		if cfg.Production != nil && !*cfg.Production {
			host = previewHost
		}
	}
	if _, err := parseOrgURL("base_url", "https://"+host); err != nil { // a port alone would make the name the host
		return "", err
	}
	return parseOrgURL("base_url", "https://"+cfg.Organization+"."+host)
}

func parseOrgURL(field, s string) (string, error) {
	u, err := okta.ParseOrgURL(s)
	if err != nil {
		return "", invalid(field, err.Error()+`: use a host such as "okta.com", or a URL such as "https://login.acme.com"`)
	}
	return u.String(), nil
}

const movedWarning = "the request has given organization, the old name of org_name, and not org_name: the mount's org was %q and is %q now"

// movedByOldName reports whether the request has changed the org of a mount by the old
// name of the field alone, which some clients send with every write.
func (cfg *configEntry) movedByOldName(stored *configEntry, d *framework.FieldData) bool {
	return stored != nil && stored.Organization != "" && stored.Organization != cfg.Organization && !names(d, "org_name")
}

const fullURLWarning = "base_url is a full URL, which this plugin only understands: after a switch back to Vault's builtin okta method " +
	"nobody could log in. Where the org's host is org_name and a domain, such as acme and okta.com, write them by themselves"
