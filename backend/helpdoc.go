package backend

import (
	"encoding/json"

	"github.com/hashicorp/vault/sdk/logical"
)

// openAPIKey is where the response to a help operation has the OpenAPI document.
const openAPIKey = "openapi"

// keepRefs makes the references of the OpenAPI document in a response to help survive the
// way to Vault. The plugin protocol carries the document as JSON, where a reference is
// called "$ref". Vault reads the document back with mapstructure, by the names of the Go
// fields in any case (framework.NewOASDocumentFromMap), so that it finds a reference only
// under the name "ref", and drops "$ref".
func keepRefs(resp *logical.Response) error {
	if resp == nil || resp.Data[openAPIKey] == nil {
		return nil
	}
	text, err := json.Marshal(resp.Data[openAPIKey])
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	repeatRefs(doc)
	resp.Data[openAPIKey] = doc
	return nil
}

// repeatRefs adds "ref" beside each "$ref".
func repeatRefs(node any) {
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			node["ref"] = ref
		}
		for _, child := range node {
			repeatRefs(child)
		}
	case []any:
		for _, child := range node {
			repeatRefs(child)
		}
	}
}
