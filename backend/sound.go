package backend

import "github.com/hashicorp/vault/sdk/framework"

// This file decides what becomes of a value that is not sound: the write that names it
// fails, and any other write leaves it as it is stored, and warns. Otherwise a value that
// Vault's builtin method has stored, and that this plugin refuses, would make every write
// fail.

// problem is a value of an entry that is not sound.
type problem struct {
	err    error    // an *inputError
	fields []string // the write is at fault if it names one of them
}

// wrong makes a problem of an error about a field. The other fields have a say in the
// value, too.
func wrong(err error, field string, others ...string) problem {
	return problem{err, append(others, field)}
}

// judge returns the first problem that the request has caused, as an error, and warnings
// of the others. All problems of a new entry are the request's.
func judge(d *framework.FieldData, created bool, problems []problem) (warnings []string, err error) {
	for _, p := range problems {
		if created || names(d, p.fields...) {
			return nil, p.err
		}
		warnings = append(warnings, "what is stored is not sound, and this request has left it as it is: "+p.err.Error())
	}
	return warnings, nil
}

// names reports whether the request gives one of the fields. A null that counts as not
// given names nothing.
func names(d *framework.FieldData, fields ...string) bool {
	for _, field := range fields {
		if d.Schema[field] == nil {
			continue // of another path
		}
		if _, given := d.GetOk(field); given {
			return true
		}
	}
	return false
}
