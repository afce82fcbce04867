package pingid

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const (
	// maxSettings bounds a settings file, in bytes. PingID's admin console makes files of
	// less than 1 KiB.
	maxSettings = 64 << 10

	// minKey is the shortest key for HS256, in bytes.
	// https://www.rfc-editor.org/rfc/rfc7518#section-3.2
	minKey = 32
)

// Settings are an organization's settings: its file pingid.properties, which PingID's
// admin console makes.
type Settings struct {
	// UseSignature has no effect: every request is signed.
	UseSignature bool
	// IDPURL is where requests go: "https://idp.acme.test/pingid".
	IDPURL string
	// OrgAlias is PingID's name for the organization.
	OrgAlias string
	// AdminURL and AuthenticatorURL have no effect.
	AdminURL         string
	AuthenticatorURL string

	// secrets is a function so that fmt cannot print the secrets: fmt prints fields of an
	// inner struct without calling their String.
	secrets func() secrets
}

type secrets struct {
	okta.Unprintable
	key   []byte // of the HMAC
	token string
}

// String leaves out the secrets.
func (s Settings) String() string {
	return fmt.Sprintf("[pingid settings of %q at %q]", s.OrgAlias, s.IDPURL)
}

// GoString leaves out the secrets.
func (s Settings) GoString() string { return s.String() }

// ParseSettings reads a settings file in base64. The keys use_base64_key, token, idp_url
// and org_alias are required; use_signature, admin_url and authenticator_url are
// optional. An error names a key or the number of a line, and never quotes a value.
func ParseSettings(base64File string) (Settings, error) {
	if len(base64File) > base64.StdEncoding.EncodedLen(maxSettings) {
		return Settings{}, fmt.Errorf("the settings file is longer than %d KiB", maxSettings>>10)
	}
	file, err := decode(strings.TrimSpace(base64File))
	if err != nil {
		return Settings{}, errors.New("the settings file is not in base64")
	}
	values, err := parseProperties(string(file))
	if err != nil {
		return Settings{}, err
	}
	for _, key := range []string{"use_base64_key", "token", "idp_url", "org_alias"} {
		if values[key] == "" {
			return Settings{}, fmt.Errorf("the settings file has no %s", key)
		}
	}
	s := Settings{
		UseSignature: values["use_signature"] == "true", IDPURL: values["idp_url"], OrgAlias: values["org_alias"],
		AdminURL: values["admin_url"], AuthenticatorURL: values["authenticator_url"],
	}
	key, err := decode(values["use_base64_key"])
	switch use := values["use_signature"]; {
	case err != nil:
		return Settings{}, errors.New("use_base64_key is not in base64")
	case len(key) < minKey:
		return Settings{}, fmt.Errorf("use_base64_key is shorter than %d bytes", minKey)
	case use != "" && use != "true" && use != "false":
		return Settings{}, errors.New("use_signature is neither true nor false")
	case !isServiceURL(s.IDPURL):
		return Settings{}, errors.New("idp_url is not an https URL of a host and a path")
	}
	s.secrets = func() secrets { return secrets{key: key, token: values["token"]} }
	return s, nil
}

// parseProperties reads lines of the form key=value or key:value, as Java writes them:
// it skips empty lines and comments, which begin with # or !, and takes the backslashes
// away that escape a character. It ignores keys that ParseSettings does not use.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
func parseProperties(file string) (map[string]string, error) {
	if !utf8.ValidString(file) {
		return nil, errors.New("the settings file is not text")
	}
	values := map[string]string{}
	number := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(file, byteOrderMark), "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		at := strings.IndexAny(line, "=:") // no key that is used has either
		if at < 0 {
			return nil, fmt.Errorf("line %d of the settings file is not key=value", number)
		}
		key, value := strings.TrimSpace(line[:at]), unescape(strings.TrimSpace(line[at+1:]))
		if !isKey(key) {
			continue
		}
		if _, again := values[key]; again {
			return nil, fmt.Errorf("the settings file has %s twice", key)
		}
		if strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("%s has a control character", key)
		}
		values[key] = value
	}
	return values, nil
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// unescape takes away each backslash that stands before another character. What a
// letter would mean after one, such as a tab, no value of PingID's has.
func unescape(value string) string {
	var b strings.Builder
	escaped := false
	for _, r := range value {
		if escaped = r == '\\' && !escaped; !escaped {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isKey(key string) bool {
	switch key {
	case "use_base64_key", "use_signature", "token", "idp_url", "org_alias", "admin_url", "authenticator_url":
		return true
	}
	return false
}

// decode reads base64 of either alphabet, with padding or without.
func decode(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}

// isServiceURL reports whether s is an https URL of a host and a path, and nothing else.
func isServiceURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Opaque == "" && service.IsHost(u.Host) &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(s, "#")
}
