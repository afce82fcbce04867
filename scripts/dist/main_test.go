package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// program is a program with modules in it.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dist")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "program")
	if out, err := exec.Command("go", "build", "-C", root, "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./cmd/"+oktaLogin).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(path)
})

var platforms = []string{"linux_amd64", "linux_arm64", "windows_amd64.exe"}

// made is a release of v1.2.3, by the names of its files. The binaries differ.
var made = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "dist")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return makeRelease(dir, platforms)
})

// makeRelease makes a release in an empty directory. The files come there in that order.
func makeRelease(dir string, platforms []string) (map[string][]byte, error) {
	built, err := program()
	if err != nil {
		return nil, err
	}
	for _, platform := range platforms {
		for _, command := range []string{plugin, oktaLogin} {
			content := append(slices.Clone(built), command+platform...)
			if err := os.WriteFile(filepath.Join(dir, command+"_"+platform), content, 0o755); err != nil {
				return nil, err
			}
		}
	}
	if err := release("v1.2.3", root, dir); err != nil {
		return nil, err
	}
	return readAll(dir)
}

func readAll(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	return files, err
}

func releaseOf(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := made()
	require.NoError(t, err)
	return files
}

// TestReleaseIsReproducible: the same binaries make the same files, wherever and whenever
// that is.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	reversed := slices.Clone(platforms)
	slices.Reverse(reversed)
	dir := t.TempDir()
	_, err := makeRelease(dir, reversed)
	require.NoError(t, err)
	require.NoError(t, release("v1.2.3", root, dir), "what is there already is made anew")
	again, err := readAll(dir)
	require.NoError(t, err)
	files := releaseOf(t)
	require.Len(t, again, len(files))
	for name, content := range files {
		assert.True(t, bytes.Equal(content, again[name]), name)
	}
}

// TestChecksums: each file has its checksum, under its own name; and each binary in an
// archive has that of the one beside the archive.
func TestChecksums(t *testing.T) {
	t.Parallel()
	files := releaseOf(t)
	var names []string
	for line := range strings.Lines(string(files["SHA256SUMS"])) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		names = append(names, name)
		assert.Equal(t, digest(files[name]), "sha256:"+line[:64], name)
	}
	assert.True(t, slices.IsSorted(names))
	assert.Equal(t, []string{
		"okta-login_linux_amd64", "okta-login_linux_amd64.cdx.json",
		"okta-login_linux_arm64", "okta-login_linux_arm64.cdx.json",
		"okta-login_windows_amd64.exe", "okta-login_windows_amd64.exe.cdx.json",
		"vault-plugin-auth-okta_linux_amd64", "vault-plugin-auth-okta_linux_amd64.cdx.json",
		"vault-plugin-auth-okta_linux_arm64", "vault-plugin-auth-okta_linux_arm64.cdx.json",
		"vault-plugin-auth-okta_v1.2.3_image.tar",
		"vault-plugin-auth-okta_v1.2.3_linux_amd64.tar.gz", "vault-plugin-auth-okta_v1.2.3_linux_arm64.tar.gz", "vault-plugin-auth-okta_v1.2.3_windows_amd64.zip",
		"vault-plugin-auth-okta_windows_amd64.exe", "vault-plugin-auth-okta_windows_amd64.exe.cdx.json",
	}, names)
	assert.Len(t, files, len(names)+1)

	for _, platform := range []string{"linux_amd64", "linux_arm64", "windows_amd64"} {
		name, suffix := plugin+"_v1.2.3_"+platform, ""
		var inside map[string][]byte
		if platform == "windows_amd64" {
			inside, suffix = unzip(t, files[name+".zip"]), ".exe"
		} else {
			inside = untar(t, gunzip(t, files[name+".tar.gz"]))
		}
		var sums []byte
		for _, command := range []string{oktaLogin, plugin} {
			content := inside[name+"/"+command+suffix]
			assert.True(t, bytes.Equal(files[command+"_"+platform+suffix], content), "%s of %s", command, platform)
			sums = append(sums, digest(content)[7:]+"  "+command+suffix+"\n"...)
		}
		assert.Equal(t, string(sums), string(inside[name+"/SHA256SUMS"]))
		for _, document := range documents {
			want, err := os.ReadFile(filepath.Join(root, document))
			require.NoError(t, err)
			assert.Equal(t, string(want), string(inside[name+"/"+filepath.Base(document)]))
		}
		assert.Len(t, inside, 2+1+len(documents))
	}
}

// TestImage: an index of one image for each architecture. The binary is at the root, and is
// the entry point. The certificates are the only other file.
func TestImage(t *testing.T) {
	t.Parallel()
	files := releaseOf(t)
	blobs := untar(t, files[plugin+"_v1.2.3_image.tar"])
	assert.JSONEq(t, `{"imageLayoutVersion":"1.0.0"}`, string(blobs["oci-layout"]))
	for name, content := range blobs {
		if strings.HasPrefix(name, "blobs/") {
			assert.Equal(t, digest(content), "sha256:"+filepath.Base(name))
		}
	}
	read := func(d descriptor, mediaType string, into any) []byte {
		content := blobs["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
		require.Len(t, content, d.Size, d.Digest)
		assert.Equal(t, mediaType, d.MediaType)
		if into != nil {
			require.NoError(t, json.Unmarshal(content, into))
		}
		return content
	}
	var entry, all imageIndex
	require.NoError(t, json.Unmarshal(blobs["index.json"], &entry))
	require.Len(t, entry.Manifests, 1)
	assert.Equal(t, "v1.2.3", entry.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	read(entry.Manifests[0], indexType, &all)
	require.Len(t, all.Manifests, 2)
	for i, arch := range []string{"amd64", "arm64"} {
		assert.Equal(t, &platform{arch, "linux"}, all.Manifests[i].Platform)
		var m manifest
		read(all.Manifests[i], manifestType, &m)
		var config imageConfig
		read(m.Config, configType, &config)
		assert.Equal(t, platform{arch, "linux"}, config.platform)
		assert.Equal(t, []string{"/vault-plugin-auth-okta"}, config.Config.Entrypoint)
		assert.Equal(t, "v1.2.3", config.Config.Labels["org.opencontainers.image.version"])
		require.Len(t, m.Layers, 1)
		layer := gunzip(t, read(m.Layers[0], layerType, nil))
		assert.Equal(t, []string{digest(layer)}, config.RootFS.DiffIDs)
		inside := untar(t, layer)
		require.Len(t, inside, 2)
		assert.True(t, x509.NewCertPool().AppendCertsFromPEM(inside["etc/ssl/certs/ca-certificates.crt"]))
		assert.True(t, bytes.Equal(files[plugin+"_linux_"+arch], inside[plugin]), arch)
	}
	assert.Len(t, blobs, 2+1+2*3, "nothing that nobody refers to")
}

// TestBillOfMaterials: it names the modules that the linker names, with their hashes, and
// the binary that it is about.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	files := releaseOf(t)
	for _, platform := range platforms {
		name := plugin + "_" + platform
		var list bom
		require.NoError(t, json.Unmarshal(files[name+".cdx.json"], &list))
		assert.Equal(t, []string{"CycloneDX", "1.6"}, []string{list.Format, list.Spec})
		about := list.Metadata.Component
		assert.Equal(t, []string{plugin, "v1.2.3"}, []string{about.Name, about.Version})
		assert.Equal(t, []hash{{"SHA-256", digest(files[name])[7:]}}, about.Hashes)

		info, err := buildinfo.Read(bytes.NewReader(files[name]))
		require.NoError(t, err)
		want := []string{"std " + info.GoVersion}
		for _, module := range info.Deps {
			want = append(want, module.Path+" "+module.Version)
		}
		require.Greater(t, len(want), 2)
		var got, refs []string
		for _, part := range list.Components {
			got, refs = append(got, part.Name+" "+part.Version), append(refs, part.Ref)
			if part.Name != "std" {
				assert.Regexp(t, `^[0-9a-f]{64}$`, part.Hashes[0].Content, part.Name)
			}
		}
		assert.ElementsMatch(t, want, got)
		assert.Equal(t, []dependency{{about.Ref, refs}}, list.Dependencies)
	}
}

// TestNoBinaries: a release of nothing is none, and one that lacks Linux has no image.
func TestNoBinaries(t *testing.T) {
	t.Parallel()
	assert.ErrorContains(t, release("v1.2.3", root, t.TempDir()), "make dist")
	_, err := makeRelease(t.TempDir(), []string{"windows_amd64.exe"})
	assert.ErrorContains(t, err, "for Linux")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, plugin+"_linux_amd64"), []byte("no program"), 0o755))
	assert.ErrorContains(t, release("v1.2.3", root, dir), plugin+"_linux_amd64")
}

// TestVersionsAgree: the version that the Makefile states is the one that people read, in
// the changelog and in the commands of the pages on how to install it.
func TestVersionsAgree(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		content, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		return string(content)
	}
	stated := regexp.MustCompile(`(?m)^VERSION := (v\d+\.\d+\.\d+)$`).FindStringSubmatch(read("Makefile"))
	require.NotNil(t, stated)
	newest := strings.Split(read("CHANGELOG.md"), "\n## ")[1]
	assert.Contains(t, newest, strings.TrimPrefix(stated[1], "v"))
	commands := regexp.MustCompile(`(?:-(?:plugin-)?version=|plugin_version +?= "|\bversion +?= "|vault-plugin-auth-okta_)(v\d+\.\d+\.\d+)`)
	for _, page := range []string{"README.md", "docs/getting-started.md", "docs/install.md", "docs/openbao.md", "docs/method.md"} {
		found := commands.FindAllStringSubmatch(read(page), -1)
		assert.NotEmpty(t, found, page)
		if len(found) > 0 { // further ones may be about an upgrade
			assert.Equal(t, stated[1], found[0][1], "%s: %s", page, found[0][0])
		}
	}
}

func gunzip(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	content, err := io.ReadAll(z)
	require.NoError(t, err)
	return content
}

// untar is what an archive holds. Programs, and nothing else, can be run.
func untar(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(packed)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		name := filepath.Base(header.Name)
		assert.Equal(t, name == plugin || name == oktaLogin, header.Mode == 0o755, header.Name)
		files[header.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

func unzip(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return files
}
