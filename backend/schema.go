package backend

import (
	"maps"
	"net/http"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
)

// This file holds what the schemas of the paths have in common: Vault makes its OpenAPI
// document, forms and generated clients of them.

// fieldSchemas are the fields of a path or of an answer, by name.
type fieldSchemas = map[string]*framework.FieldSchema

// responses are the answers to an operation, by HTTP status.
type responses = map[int][]framework.Response

// grouped puts the fields into a group of forms. A bool, a number or a duration without a
// default gets its zero value as one, unless the field is deprecated: that is another
// field's old name. A form begins with the default of a bool.
func grouped(group string, fields fieldSchemas) fieldSchemas {
	for _, field := range fields {
		switch field.Type {
		case framework.TypeBool, framework.TypeInt:
			if field.Default == nil && !field.Deprecated {
				field.Default = field.Type.Zero()
			}
		case framework.TypeDurationSecond:
			if field.Default == nil && !field.Deprecated {
				field.Default = durationText(0)
			}
		}
		attrs := framework.DisplayAttributes{}
		if field.DisplayAttrs != nil {
			attrs = *field.DisplayAttrs
		}
		attrs.Group = group
		if field.Type == framework.TypeBool {
			attrs.Value = field.Default
		}
		field.DisplayAttrs = &attrs
	}
	return fields
}

// builtinDurations are the durations that the builtin method has, too. They are read in
// seconds; see durationText.
var builtinDurations = []string{"ttl", "max_ttl", "token_ttl", "token_max_ttl", "token_explicit_max_ttl", "token_period"}

// readable returns those of the fields that a read tells, as it tells them: all but
// secrets, parameters of requests, and the names that are left out.
func readable(fields fieldSchemas, leftOut ...string) fieldSchemas {
	told := fieldSchemas{}
	for name, field := range fields {
		isSecret := field.DisplayAttrs != nil && field.DisplayAttrs.Sensitive
		if isSecret || field.Query || slices.Contains(leftOut, name) {
			continue
		}
		t := field.Type
		switch {
		case t == framework.TypeDurationSecond && slices.Contains(builtinDurations, name):
			t = framework.TypeInt64
		case t == framework.TypeDurationSecond:
			t = framework.TypeString
		}
		told[name] = &framework.FieldSchema{Type: t, Description: field.Description, Deprecated: field.Deprecated}
	}
	return told
}

// with returns fields and more of them.
func with(fields, more fieldSchemas) fieldSchemas {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}

// told is how a request is answered that has data for an answer, or fails.
func told(fields fieldSchemas, failures ...int) responses {
	return failing(responses{http.StatusOK: {{Description: http.StatusText(http.StatusOK), Fields: fields}}}, failures)
}

// toldList is how a list is answered, with more fields beside the names. There is nothing
// of an empty list (404).
func toldList(more fieldSchemas) responses {
	return told(with(fieldSchemas{
		"keys": {Type: framework.TypeStringSlice, Description: "The names."},
	}, more), http.StatusBadRequest, http.StatusNotFound)
}

// keyInfo is the field of lists that tell something about each name.
func keyInfo(of string) fieldSchemas {
	return fieldSchemas{"key_info": {Type: framework.TypeMap, Description: of + ", by the names of keys."}}
}

// written is how a write or a deletion is answered: without content, as by the builtin
// method, unless there is something to warn about.
func written(failures ...int) responses {
	return failing(responses{
		http.StatusNoContent: {{Description: http.StatusText(http.StatusNoContent)}},
		http.StatusOK:        {{Description: "OK, with warnings"}},
	}, append(failures, http.StatusBadRequest))
}

// patched is how a patch is answered: there may be nothing to patch.
func patched() responses { return written(http.StatusNotFound) }

// failing adds failures, whose text is in the list "errors" beside the data of an answer.
func failing(r responses, failures []int) responses {
	for _, status := range failures {
		r[status] = []framework.Response{{Description: http.StatusText(status)}}
	}
	return r
}
