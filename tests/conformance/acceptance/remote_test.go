package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// remote is the directory in which the probe keeps its objects: what really exists.
type remote struct{ dir string }

func newRemote(t *testing.T) remote { return remote{dir: t.TempDir()} }

// config puts the provider before the rest of a configuration.
func (r remote) config(body string) string {
	return fmt.Sprintf("provider \"probe\" {\n  directory = %q\n}\n%s", r.dir, body)
}

// thing configures the resource probe_thing.a.
func (r remote) thing(arguments string) string {
	return r.config(fmt.Sprintf("resource \"probe_thing\" \"a\" {\n%s\n}\n", arguments))
}

func (r remote) path(name string) string { return filepath.Join(r.dir, name+".json") }

// objects are the names of all that exists.
func (r remote) objects(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(r.path("*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	return names
}

// expect fails unless exactly these objects exist.
func (r remote) expect(t *testing.T, names ...string) {
	t.Helper()
	if found := r.objects(t); !slices.Equal(found, names) {
		t.Errorf("objects: %v, want %v", found, names)
	}
}

// edit marks an object as somebody's work by hand.
func (r remote) edit(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(r.path(name))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	object["edited"] = json.RawMessage("true")
	if text, err = json.Marshal(object); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// remove deletes an object behind the provider's back.
func (r remote) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(r.path(name)); err != nil {
		t.Fatal(err)
	}
}

// events are the calls that the provider noted, all of its processes together.
func (r remote) events(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "events.log"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// count says how often an event was noted.
func (r remote) count(t *testing.T, event string) int {
	t.Helper()
	count := 0
	for _, noted := range r.events(t) {
		if noted == event {
			count++
		}
	}
	return count
}
