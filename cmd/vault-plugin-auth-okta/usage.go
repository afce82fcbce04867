package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const name = "vault-plugin-auth-okta"

// usage says what the program is and how to register it, with its own checksum.
func usage() string {
	file, sum := name, "<sha256 of the binary>"
	if path, err := os.Executable(); err == nil {
		file = filepath.Base(path)
		if s, err := checksum(path); err == nil {
			sum = s
		}
	}
	return fmt.Sprintf(`%[1]s %[2]s: the Okta auth method for Vault and OpenBao, a plugin.

It is started by the server, not by hand. Copy it to the plugin_directory of
every server, then register it under the name okta and enable it. With OpenBao,
type bao in place of vault:

  vault plugin register -sha256=%[4]s \
      -command=%[3]s -version=%[2]s auth okta
  vault auth enable -plugin-version=%[2]s okta

-version prints the version.
`, name, version, file, sum)
}

func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
