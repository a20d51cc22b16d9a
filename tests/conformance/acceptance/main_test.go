package acceptance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
)

// source has no host, so that each engine looks below its own registry's name.
const source = "terraform-ha/probe"

// engine is the program under whose hands the provider is.
var engine string

func TestMain(m *testing.M) {
	status, err := runWithMirror(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(status)
}

func runWithMirror(m *testing.M) (int, error) {
	binary := os.Getenv("PROBE_BINARY")
	if binary == "" {
		return 0, errors.New("PROBE_BINARY must name the provider to test")
	}
	var err error
	if engine = os.Getenv("TF_ACC_TERRAFORM_PATH"); engine == "" {
		if engine, err = exec.LookPath("terraform"); err != nil {
			return 0, fmt.Errorf("neither TF_ACC_TERRAFORM_PATH nor a terraform in PATH: %w", err)
		}
	}

	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	config, err := mirror(dir, binary)
	if err != nil {
		return 0, err
	}

	for _, entry := range os.Environ() {
		// Neither the caller's logging nor their habits are under test.
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "TF_ACC") {
			os.Unsetenv(name)
		}
	}
	os.Unsetenv("PROBE_DIRECTORY")
	os.Setenv("TF_ACC", "1")
	os.Setenv("TF_ACC_TERRAFORM_PATH", engine)
	os.Setenv("TF_CLI_CONFIG_FILE", config)
	os.Setenv("CHECKPOINT_DISABLE", "1")
	return m.Run(), nil
}

// mirror lays the provider out as both engines expect it, and returns the configuration that says
// so. Launching from a mirror is what a user's engine does; dev_overrides skips a part of it.
func mirror(dir, binary string) (string, error) {
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		platform := runtime.GOOS + "_" + runtime.GOARCH
		target := filepath.Join(dir, "mirror", host, source, "1.0.0", platform)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return "", err
		}
		if err := install(binary, filepath.Join(target, "terraform-provider-probe_v1.0.0")); err != nil {
			return "", err
		}
	}
	config := filepath.Join(dir, "cli.tfrc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.Join(dir, "mirror"))
	return config, os.WriteFile(config, []byte(text), 0o644)
}

func install(binary, target string) error {
	from, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}

// run applies the steps in their order; in the end everything must be gone.
func run(t *testing.T, remote remote, steps ...resource.TestStep) {
	t.Helper()
	check(t, resource.TestCase{Steps: steps, CheckDestroy: func(*terraform.State) error {
		if left := remote.objects(t); len(left) > 0 {
			return fmt.Errorf("destroyed, but still there: %v", left)
		}
		return nil
	}})
}

func check(t *testing.T, test resource.TestCase) {
	t.Helper()
	test.ExternalProviders = map[string]resource.ExternalProvider{
		"probe": {Source: source, VersionConstraint: "1.0.0"},
	}
	resource.ParallelTest(t, test)
}
