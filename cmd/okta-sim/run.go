package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// run is the command: it serves until the context ends, and returns the exit
// code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseFlags(args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "okta-sim: %v\n", err)
		return 2
	case cfg.version:
		_, _ = fmt.Fprintln(stdout, "okta-sim", version())
		return 0
	}
	if err := serve(ctx, cfg, stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "okta-sim: %v\n", err)
		return 1
	}
	return 0
}

// serve starts all servers, tells where they are, and waits.
func serve(ctx context.Context, cfg config, stdout io.Writer) error {
	file, err := loadOrg(cfg.orgFile)
	if err != nil {
		return fmt.Errorf("reading the organization: %w", err)
	}
	if cfg.readyFile != "" {
		// One left by a run that was killed would send scripts to it.
		if err := os.Remove(cfg.readyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("-ready-file: %w", err)
		}
	}
	org := oktatest.New(oktatest.Options{VerifyByType: true, CertUntil: time.Now().Add(cfg.certLife)})
	file.build(org)
	srv, err := oktatest.Start(cfg.listen, org)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	defer srv.Close()
	services, err := startServices(cfg, org.Users())
	if err != nil {
		return err
	}
	defer services.close()
	control, err := net.Listen("tcp", cfg.control)
	if err != nil {
		return fmt.Errorf("-control: %w", err)
	}
	cert, cleanUp, err := writeCert(cfg.certOut, slices.Concat(srv.CertPEM, services.duo.CertPEM, services.pingID.CertPEM))
	if err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	defer cleanUp()

	state := describe(srv, services, "http://"+control.Addr().String(), cert)
	controlServer := &http.Server{Handler: newControl(org, services, cfg, state.steps()), ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = controlServer.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- controlServer.Serve(control) }()

	if cfg.readyFile != "" {
		defer func() { _ = os.Remove(cfg.readyFile) }()
		if err := state.writeReady(cfg.readyFile); err != nil {
			return fmt.Errorf("-ready-file: %w", err)
		}
	}
	if err := state.print(stdout); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return fmt.Errorf("control API: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// writeCert writes the certificates where the user wants it, or to a
// temporary place that cleanUp removes.
func writeCert(name string, pem []byte) (path string, cleanUp func(), err error) {
	cleanUp = func() {}
	if name == "" {
		dir, err := os.MkdirTemp("", "okta-sim-")
		if err != nil {
			return "", cleanUp, err
		}
		cleanUp = func() { _ = os.RemoveAll(dir) }
		name = filepath.Join(dir, "ca.pem")
	}
	if path, err = filepath.Abs(name); err == nil {
		err = writeFile(path, pem, 0o644)
	}
	if err != nil {
		cleanUp()
	}
	return path, cleanUp, err
}

// writeFile writes a file in one step: whoever sees it sees all of it.
func writeFile(name string, content []byte, mode os.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
