package backend

import "github.com/hashicorp/vault/sdk/framework"

const deletedTokenWarning = "the mount now calls another host, so the stored api_token has been deleted: it was given for the " +
	"host before. Write the api_token of the new host; until then, people's groups in Okta are not read."

// deleteForeignToken deletes the API token if it was stored for another org URL than
// the one that cfg has now, unless the request gives a token for the new one. It
// reports whether it has deleted one.
func (cfg *configEntry) deleteForeignToken(before string, d *framework.FieldData) bool {
	_, given := newest[string](d, "api_token", "token")
	now, _ := cfg.orgURL() // which update has checked
	if given || cfg.Token == "" || now == before {
		return false
	}
	cfg.Token = ""
	return true
}
