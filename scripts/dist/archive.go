package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
)

// file is a file of an archive.
type file struct {
	name    string
	content []byte
	runs    bool // it is a program
}

func (f file) mode() int64 {
	if f.runs {
		return 0o755
	}
	return 0o644
}

// tarGz packs files into a directory of an archive; no directory is "".
func tarGz(dir string, files []file) ([]byte, error) {
	plain, err := tarred(dir, files)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	err = z.Close()
	return packed.Bytes(), err
}

// tarred is tarGz without the compression.
func tarred(dir string, files []file) ([]byte, error) {
	if dir != "" {
		dir += "/"
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, f := range files {
		header := tar.Header{Typeflag: tar.TypeReg, Name: dir + f.name, Mode: f.mode(), Size: int64(len(f.content)), ModTime: epoch, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return packed.Bytes(), err
}

// zipped packs files into a directory of an archive.
func zipped(dir string, files []file) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, f := range files {
		entry, err := w.CreateHeader(&zip.FileHeader{Name: dir + "/" + f.name, Method: zip.Deflate, Modified: epoch})
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return packed.Bytes(), err
}
