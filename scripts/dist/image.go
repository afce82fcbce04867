package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// The parts of the OCI image format that an image with one file needs.
// https://github.com/opencontainers/image-spec
const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *platform         `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	platform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	}
	imageIndex struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Manifests     []descriptor      `json:"manifests"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}
	manifest struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        descriptor        `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}
	imageConfig struct {
		Created string `json:"created"`
		platform
		Config struct {
			Entrypoint []string          `json:"Entrypoint"`
			Labels     map[string]string `json:"Labels"`
		} `json:"config"`
		RootFS struct {
			Type    string   `json:"type"`
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
)

// layout is an OCI image layout: files by their names.
type layout map[string][]byte

// add adds a blob.
func (l layout) add(mediaType string, content []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digest(content), Size: len(content)}
	l["blobs/"+strings.Replace(d.Digest, ":", "/", 1)] = content
	return d
}

// addJSON adds a document.
func (l layout) addJSON(mediaType string, document any) (descriptor, error) {
	content, err := json.Marshal(document)
	return l.add(mediaType, content), err
}

// image is an OCI image of the plugin for each architecture of Linux, as an archive of an
// image layout. As if built FROM scratch, it holds the binary at its root, which is its
// entry point, the certificates to trust, and nothing else.
func image(version string, binaries []binary) ([]byte, error) {
	labels := map[string]string{
		"org.opencontainers.image.title":    plugin,
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.source":   "https://github.com/vault-okta/" + plugin,
		"org.opencontainers.image.licenses": "MPL-2.0",
	}
	l := layout{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
	all := imageIndex{SchemaVersion: 2, MediaType: indexType, Annotations: labels}
	for _, b := range binaries {
		if b.command != plugin || b.os != "linux" {
			continue
		}
		d, err := l.addPlatform(b, labels)
		if err != nil {
			return nil, err
		}
		all.Manifests = append(all.Manifests, d)
	}
	if len(all.Manifests) == 0 {
		return nil, errors.New("an image needs a binary of the plugin for Linux")
	}
	whole, err := l.addJSON(indexType, all)
	if err != nil {
		return nil, err
	}
	whole.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	if l["index.json"], err = json.Marshal(imageIndex{SchemaVersion: 2, MediaType: indexType, Manifests: []descriptor{whole}}); err != nil {
		return nil, err
	}
	var files []file
	for _, name := range slices.Sorted(maps.Keys(l)) {
		files = append(files, file{name: name, content: l[name]})
	}
	return tarred("", files)
}

// addPlatform adds the image for one platform, and returns its manifest.
func (l layout) addPlatform(b binary, labels map[string]string) (descriptor, error) {
	files := []file{{name: rootsFile, content: roots()}, {name: plugin, content: b.content, runs: true}}
	plain, err := tarred("", files)
	if err != nil {
		return descriptor{}, err
	}
	packed, err := tarGz("", files)
	if err != nil {
		return descriptor{}, err
	}
	where := platform{Architecture: b.arch, OS: b.os}
	config := imageConfig{Created: epoch.Format("2006-01-02T15:04:05Z"), platform: where}
	config.Config.Entrypoint, config.Config.Labels = []string{"/" + plugin}, labels
	config.RootFS.Type, config.RootFS.DiffIDs = "layers", []string{digest(plain)}
	c, err := l.addJSON(configType, config)
	if err != nil {
		return descriptor{}, err
	}
	d, err := l.addJSON(manifestType, manifest{
		SchemaVersion: 2, MediaType: manifestType, Config: c, Layers: []descriptor{l.add(layerType, packed)}, Annotations: labels,
	})
	d.Platform = &where
	return d, err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
