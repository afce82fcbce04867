package backend

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file answers a part of a list, by the parameters that lists have in OpenBao
// (https://openbao.org/docs/rfcs/paginated-lists). The storage of Vault's SDK lists all
// names at once, so the part is cut from the whole list.

// pageFields are the fields of every list.
var pageFields = grouped("Pages", fieldSchemas{
	"after": {
		Type: framework.TypeString, Query: true,
		Description: "For lists: answer only what comes after this name in the order of bytes. The name need not exist. From the first " +
			"name, when empty.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "After"},
	},
	"limit": {
		Type: framework.TypeInt, Query: true, Default: 0,
		Description:  "For lists: answer at most so many names, the first in the order of bytes. All of them, when 0 or less, and when not set.",
		DisplayAttrs: &framework.DisplayAttributes{Name: "Limit"},
	},
})

// withPages adds pageFields to the paths that list.
func withPages(paths []*framework.Path) {
	for _, path := range paths {
		if path.Operations[logical.ListOperation] != nil {
			path.Fields = maps.Clone(path.Fields)
			if path.Fields == nil {
				path.Fields = map[string]*framework.FieldSchema{}
			}
			maps.Copy(path.Fields, pageFields)
		}
	}
}

// page is a part of a list. The zero value is all of it.
type page struct {
	after string
	limit int // zero or less: none
}

// pageOf returns the part of a list that a request asks for. What is null or empty is
// not given.
func pageOf(req *logical.Request) (p page, err error) {
	if req.Operation != logical.ListOperation {
		return page{}, nil
	}
	switch after := req.Data["after"].(type) {
	case nil:
	case string:
		p.after = after
	default:
		return page{}, invalid("after", "must be one name")
	}
	if raw := req.Data["limit"]; raw != nil && raw != "" {
		if p.limit, err = strconv.Atoi(fmt.Sprint(raw)); err != nil {
			return page{}, invalid("limit", fmt.Sprintf("must be a whole number, and %q is not one", okta.Clip(fmt.Sprint(raw), 64)))
		}
	}
	return p, nil
}

// cut leaves in the answer to a list only the part that was asked for, which has the
// names in the order of their bytes. The whole list keeps its order.
func (p page) cut(resp *logical.Response) {
	if resp == nil || p.after == "" && p.limit <= 0 {
		return
	}
	all, _ := resp.Data["keys"].([]string)
	keys := slices.Sorted(slices.Values(all))
	first, found := slices.BinarySearch(keys, p.after)
	if found {
		first++
	}
	keys = keys[first:]
	if p.limit > 0 {
		keys = keys[:min(p.limit, len(keys))]
	}
	info, _ := resp.Data["key_info"].(map[string]any)
	delete(resp.Data, "keys")
	delete(resp.Data, "key_info")
	// As the SDK answers a list: without the field where there is nothing.
	if len(keys) == 0 {
		return
	}
	resp.Data["keys"] = keys
	if info != nil {
		maps.DeleteFunc(info, func(name string, _ any) bool {
			_, listed := slices.BinarySearch(keys, name)
			return !listed
		})
		resp.Data["key_info"] = info
	}
}
