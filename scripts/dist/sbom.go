package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// The parts of CycloneDX 1.6 that a bill of materials of a Go program needs.
// https://cyclonedx.org/docs/1.6/json/
type (
	bom struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Ref     string     `json:"bom-ref"`
		Type    string     `json:"type"`
		Name    string     `json:"name"`
		Version string     `json:"version"`
		PURL    string     `json:"purl,omitempty"`
		Hashes  []hash     `json:"hashes,omitempty"`
		More    []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn"`
	}
)

// billOfMaterials lists what the linker put into a binary: the modules that it itself
// names, as "go version -m" prints them, and Go's own library.
func billOfMaterials(b binary, version string) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(b.content))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b.content)
	whole := component{
		Ref: b.command, Type: "application", Name: b.command, Version: version,
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
		More:   []property{{"go:file", b.name}, {"go:module", info.Main.Path}},
	}
	parts := []component{{Ref: "std", Type: "library", Name: "std", Version: info.GoVersion, PURL: purl("std", strings.TrimPrefix(info.GoVersion, "go"))}}
	for _, module := range info.Deps {
		for module.Replace != nil {
			module = module.Replace
		}
		part, err := library(module)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	refs := make([]string, len(parts))
	for i, part := range parts {
		refs[i] = part.Ref
	}
	list, err := json.MarshalIndent(bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{whole}, Components: parts, Dependencies: []dependency{{whole.Ref, refs}},
	}, "", "  ")
	return append(list, '\n'), err
}

// library is a module, with the hash of go.sum.
func library(module *debug.Module) (component, error) {
	encoded, found := strings.CutPrefix(module.Sum, "h1:")
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		return component{}, fmt.Errorf("module %s has no checksum: a release is built from modules that are published", module.Path)
	}
	address := purl(module.Path, module.Version)
	return component{
		Ref: address, Type: "library", Name: module.Path, Version: module.Version, PURL: address,
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum)}},
	}, nil
}

// purl is a package URL.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}
