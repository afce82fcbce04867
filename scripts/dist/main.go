// Command dist makes a release of binaries that have been built: a software bill of
// materials of each, an archive for each platform, an OCI image of the plugin, and the
// checksums of all. The same binaries make the same files, to the last byte: no time, no
// name of a user and no order of a directory goes into them.
//
//	go -C scripts/dist run . -version v0.1.0 ../../dist
//
// The directory holds the binaries, by the names that "make dist" gives them:
// vault-plugin-auth-okta_linux_amd64, okta-login_windows_arm64.exe.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	plugin    = "vault-plugin-auth-okta"
	oktaLogin = "okta-login"
)

// epoch is the time of all files: that of a build would differ each time. It is the first
// one that a zip archive can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	log.SetFlags(0)
	log.SetPrefix("dist: ")
	version := flag.String("version", "", "the version of the release, v1.2.3")
	root := flag.String("root", "../..", "the directory of the repository, with the files that go into archives")
	flag.Parse()
	if *version == "" || flag.NArg() != 1 {
		log.Fatal("name the version and the directory of the binaries: dist -version v0.1.0 DIRECTORY")
	}
	if err := release(*version, *root, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

// binary is a command that was built for a platform.
type binary struct {
	command, os, arch string
	name              string // of its file
	content           []byte
}

// installed is the name under which the binary is run.
func (b binary) installed() string { return b.command + filepath.Ext(b.name) }

// release makes the files of a release from the binaries in dir, and puts them beside.
func release(version, root, dir string) error {
	binaries, err := readBinaries(dir)
	if err != nil {
		return err
	}
	documents, err := readDocuments(root)
	if err != nil {
		return err
	}
	made := map[string][]byte{}
	for _, b := range binaries {
		if made[b.name+".cdx.json"], err = billOfMaterials(b, version); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	for platform, of := range byPlatform(binaries) {
		name := plugin + "_" + version + "_" + platform
		pack, suffix := tarGz, ".tar.gz"
		if strings.HasPrefix(platform, "windows_") {
			pack, suffix = zipped, ".zip"
		}
		if made[name+suffix], err = pack(name, contents(of, documents)); err != nil {
			return err
		}
	}
	if made[plugin+"_"+version+"_image.tar"], err = image(version, binaries); err != nil {
		return err
	}
	all := maps.Clone(made)
	for _, b := range binaries {
		all[b.name] = b.content
	}
	made["SHA256SUMS"] = checksums(all)
	for name, content := range made {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readBinaries reads the binaries in a directory, in the order of their names.
func readBinaries(dir string) (all []binary, err error) {
	for _, command := range []string{oktaLogin, plugin} {
		paths, err := filepath.Glob(filepath.Join(dir, command+"_*_*"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			name := filepath.Base(path)
			platform := strings.Split(strings.TrimSuffix(strings.TrimPrefix(name, command+"_"), ".exe"), "_")
			if len(platform) != 2 || strings.Contains(platform[1], ".") {
				continue // what was made of binaries before
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			all = append(all, binary{command, platform[0], platform[1], name, content})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no binaries: run make dist", dir)
	}
	return all, nil
}

// byPlatform sorts the binaries by "os_arch".
func byPlatform(all []binary) map[string][]binary {
	platforms := map[string][]binary{}
	for _, b := range all {
		platforms[b.os+"_"+b.arch] = append(platforms[b.os+"_"+b.arch], b)
	}
	return platforms
}

// documents are the files of the repository that go into each archive.
var documents = []string{"CHANGELOG.md", "LICENSE", "docs/okta-login.1"}

func readDocuments(root string) ([]file, error) {
	var all []file
	for _, path := range documents {
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		all = append(all, file{name: filepath.Base(path), content: content})
	}
	return all, nil
}

// contents is what an archive holds: the binaries by the names under which they are run,
// with their checksums, and the documents.
func contents(binaries []binary, documents []file) []file {
	all, sums := slices.Clone(documents), map[string][]byte{}
	for _, b := range binaries {
		all = append(all, file{name: b.installed(), content: b.content, runs: true})
		sums[b.installed()] = b.content
	}
	all = append(all, file{name: "SHA256SUMS", content: checksums(sums)})
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return all
}

// checksums lists files as sha256sum does, in the order of their names.
func checksums(files map[string][]byte) []byte {
	var list []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = fmt.Appendf(list, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	return list
}
