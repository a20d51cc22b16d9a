package acceptance

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEphemeralValueIsOpenedRenewedAndClosedAndLeavesNoTrace(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.config(`
		ephemeral "probe_token" "t" {
			name = "t"
			ttl  = "1s"
		}
		resource "probe_thing" "a" {
			name     = "a"
			delay    = "2500ms"
			password = ephemeral.probe_token.t.value
		}`))
	workspace.must(t, "plan", "-out=saved.tfplan")
	workspace.must(t, "apply", "saved.tfplan")

	opened, renewed, closed := remote.count(t, "open t"), remote.count(t, "renew t"), remote.count(t, "close t")
	if opened == 0 || opened != closed {
		t.Errorf("opened %d and closed %d times, want as often", opened, closed)
	}
	if renewed == 0 {
		t.Errorf("never renewed in the course of two lives: %q", remote.events(t))
	}

	entries, err := os.ReadDir(workspace.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(workspace.dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("token-t")) {
			t.Errorf("%s holds the token", entry.Name())
		}
	}
	if shown := workspace.must(t, "show", "-json", "saved.tfplan"); strings.Contains(shown, "token-t") {
		t.Error("the saved plan holds the token")
	}
	workspace.mustPlanNothing(t)
}

func TestEphemeralValueWithoutAnEndIsNotRenewed(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.config(`
		ephemeral "probe_token" "t" {
			name = "t"
		}
		provider "probe" {
			alias     = "second"
			directory = "`+remote.dir+`"
			token     = ephemeral.probe_token.t.value
		}
		resource "probe_thing" "a" {
			provider = probe.second
			name     = "a"
			delay    = "1s"
		}`))
	workspace.must(t, "apply", "-auto-approve")
	if opened, closed := remote.count(t, "open t"), remote.count(t, "close t"); opened == 0 || opened != closed {
		t.Errorf("opened %d and closed %d times, want as often", opened, closed)
	}
	if renewed := remote.count(t, "renew t"); renewed != 0 {
		t.Errorf("renewed %d times without being asked to", renewed)
	}
	workspace.mustPlanNothing(t)
}
