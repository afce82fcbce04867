package backend

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openAPI is the mount's OpenAPI document as Vault reads it.
func (m *mount) openAPI() *framework.OASDocument {
	m.t.Helper()
	resp, status, text := m.do(logical.HelpOperation, "", fields{"requestResponsePrefix": "okta"})
	require.Equal(m.t, http.StatusOK, status, text)
	raw, ok := resp.Data["openapi"].(map[string]any)
	require.True(m.t, ok, "%T", resp.Data["openapi"])
	doc, err := framework.NewOASDocumentFromMap(raw)
	require.NoError(m.t, err)
	return doc
}

// Each operation with a body says what is in the body, once Vault has read the document
// that came through the plugin protocol. Lists and writes declare how they are answered.
func TestOpenAPIIsWhole(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		doc := m.openAPI()
		schemaOf := func(content framework.OASContent) *framework.OASSchema {
			media := content["application/json"]
			if media == nil || media.Schema == nil {
				return nil
			}
			return doc.Components.Schemas[strings.TrimPrefix(media.Schema.Ref, "#/components/schemas/")]
		}
		bodies, lists := 0, 0
		for path, item := range doc.Paths {
			if post := item.Post; post != nil {
				bodies++
				require.NotNil(t, post.RequestBody, path)
				schema := schemaOf(post.RequestBody.Content)
				require.NotNil(t, schema, path)
				assert.NotEmpty(t, schema.Properties, path)
				if post.Responses[http.StatusNoContent] != nil {
					assert.NotNil(t, post.Responses[http.StatusOK], path)
				}
			}
			if gone := item.Delete; gone != nil {
				assert.NotNil(t, gone.Responses[http.StatusOK], path)
				assert.NotNil(t, gone.Responses[http.StatusNoContent], path)
			}
			if strings.HasSuffix(path, "/") {
				lists++
				schema := schemaOf(item.Get.Responses[http.StatusOK].Content)
				require.NotNil(t, schema, path)
				assert.NotNil(t, schema.Properties["keys"], path)
			}
		}
		assert.Greater(t, bodies, 8)
		assert.Greater(t, lists, 6)

		config := doc.Components.Schemas["OktaConfigureRequest"]
		require.NotNil(t, config)
		for field, value := range map[string]any{
			"mfa_factors": []any{"push", "totp", "token"}, "push_devices": "all", "max_push_failures": 3.0, "alias_source": "login",
		} {
			require.NotNil(t, config.Properties[field], field)
			text, err := json.Marshal(config.Properties[field].Default)
			require.NoError(t, err)
			want, err := json.Marshal(value)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), string(text), field)
		}
		read := doc.Paths["/config"].Get
		require.Len(t, read.Parameters, 1)
		assert.Equal(t, "defaults", read.Parameters[0].Name)
		assert.Equal(t, "query", read.Parameters[0].In)
	})
}
