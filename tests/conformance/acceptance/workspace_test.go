package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// workspace is a directory in which the engine is run by hand.
type workspace struct{ dir string }

func newWorkspace(t *testing.T, config string) workspace {
	t.Helper()
	w := workspace{dir: t.TempDir()}
	requirement := fmt.Sprintf("terraform {\n  required_providers {\n    probe = {\n      source = %q\n    }\n  }\n}\n", source)
	w.write(t, "versions.tf", requirement)
	w.configure(t, config)
	w.must(t, "init")
	return w
}

func (w workspace) configure(t *testing.T, config string) {
	t.Helper()
	w.write(t, "main.tf", config)
}

func (w workspace) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// command prepares the engine in a process group of its own, as a terminal does.
func (w workspace) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(engine, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=-no-color")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	return cmd, &output
}

// run returns all that the engine printed, and its exit status.
func (w workspace) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd, output := w.command(args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output.String(), cmd.ProcessState.ExitCode()
}

func (w workspace) must(t *testing.T, args ...string) string {
	t.Helper()
	output, status := w.run(t, args...)
	if status != 0 {
		t.Fatalf("%v: exit status %d\n%s", args, status, output)
	}
	return output
}

func (w workspace) mustFail(t *testing.T, args ...string) string {
	t.Helper()
	output, status := w.run(t, args...)
	if status != 1 {
		t.Fatalf("%v: exit status %d, want 1\n%s", args, status, output)
	}
	return output
}

// mustPlanNothing demands an empty plan.
func (w workspace) mustPlanNothing(t *testing.T) {
	t.Helper()
	if output, status := w.run(t, "plan", "-detailed-exitcode"); status != 0 {
		t.Errorf("the plan is not empty (exit status %d):\n%s", status, output)
	}
}

// stateFile is the state as it lies on disk.
func (w workspace) stateFile(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// stored is an object as it lies in the state.
type stored struct {
	Status        string         `json:"status"`
	SchemaVersion int            `json:"schema_version"`
	Attributes    map[string]any `json:"attributes"`
}

// thing reads probe_thing.a from the state; ok says whether it is there.
func (w workspace) thing(t *testing.T) (thing stored, ok bool) {
	t.Helper()
	var state struct {
		Resources []struct {
			Mode, Type, Name string
			Instances        []stored
		}
	}
	if err := json.Unmarshal(w.stateFile(t), &state); err != nil {
		t.Fatal(err)
	}
	for _, resource := range state.Resources {
		if resource.Mode == "managed" && resource.Type == "probe_thing" && resource.Name == "a" && len(resource.Instances) == 1 {
			return resource.Instances[0], true
		}
	}
	return stored{}, false
}
