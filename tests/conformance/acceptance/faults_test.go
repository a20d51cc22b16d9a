package acceptance

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
)

var (
	applyFailed   = regexp.MustCompile(`(?s)Error running apply.*Error: `)
	destroyFailed = regexp.MustCompile(`(?s)Error running destroy.*Error: `)
)

func TestCreateThatDidNothingRecordsNothing(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				fail = "create"`),
			ExpectError: applyFailed,
		},
		resource.TestStep{
			PreConfig:        func() { remote.expect(t) },
			Config:           remote.thing(`name = "a"`),
			ConfigPlanChecks: planned(will(plancheck.ResourceActionCreate)),
		},
	)
}

func TestCreateThatStoppedHalfwayIsRecordedAsTainted(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				fail = "create-partial"`),
			ExpectError: applyFailed,
		},
		resource.TestStep{
			PreConfig: func() { remote.expect(t, "a") },
			Config:    remote.thing(`name = "a"`),
			ConfigPlanChecks: planned(
				will(plancheck.ResourceActionDestroyBeforeCreate),
				was("id", "thing-a"),
			),
		},
	)
	if found := remote.count(t, "delete a"); found != 2 {
		t.Errorf("deleted %d times, want twice: the half that was created, and the whole", found)
	}
}

func TestUpdateThatStoppedHalfwayIsFinishedByTheNext(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				note = "one"
				size = 1`),
		},
		resource.TestStep{
			Config: remote.thing(`name = "a"
				note = "two"
				size = 5
				fail = "update"`),
			ExpectError: applyFailed,
		},
		resource.TestStep{
			Config: remote.thing(`name = "a"
				note = "two"
				size = 5`),
			ConfigPlanChecks: planned(
				will(plancheck.ResourceActionUpdate),
				was("note", "one"),
				was("size", json.Number("5")),
			),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("note"), text("two")),
				has(at("size"), whole(5)),
			},
		},
	)
}

func TestDestroyThatFailsKeepsTheThing(t *testing.T) {
	remote := newRemote(t)
	config := remote.thing(`name = "a"
		fail = "delete"`)
	run(t, remote,
		resource.TestStep{Config: config},
		resource.TestStep{
			Config:      config,
			Destroy:     true,
			ExpectError: destroyFailed,
		},
		resource.TestStep{
			PreConfig: func() { remote.expect(t, "a") },
			Config:    remote.thing(`name = "a"`),
			ConfigPlanChecks: planned(
				will(plancheck.ResourceActionUpdate),
				was("id", "thing-a"),
			),
		},
	)
}

func TestReadThatFailsKeepsTheState(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"
		fail = "read"`))
	workspace.must(t, "apply", "-auto-approve")
	workspace.mustFail(t, "plan")
	workspace.mustFail(t, "apply", "-refresh-only", "-auto-approve")
	if thing, ok := workspace.thing(t); !ok || thing.Attributes["id"] != "thing-a" {
		t.Errorf("the state lost the thing: %v", thing)
	}

	workspace.configure(t, remote.thing(`name = "a"`))
	workspace.must(t, "apply", "-auto-approve", "-refresh=false")
	workspace.mustPlanNothing(t)
	workspace.must(t, "destroy", "-auto-approve")
	remote.expect(t)
}

func TestPanicIsAProblemOfOneThingAndNotACrash(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.config(`
		resource "probe_thing" "a" {
			name = "a"
			fail = "panic"
		}
		resource "probe_thing" "b" {
			name = "b"
			delay = "500ms"
		}`))
	output := workspace.mustFail(t, "apply", "-auto-approve")
	if !strings.Contains(output, "with probe_thing.a") {
		t.Errorf("the problem does not say whose it is:\n%s", output)
	}
	for _, sign := range []string{"did not respond", "Plugin error", "plugin crashed", "probe_thing.b,"} {
		if strings.Contains(output, sign) {
			t.Errorf("the panic ended more than its own call (%q):\n%s", sign, output)
		}
	}
	if objects := remote.objects(t); !slices.Contains(objects, "b") {
		t.Errorf("b should exist beside the panic of a: %v", objects)
	}
}

func TestCreateStopsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"
		delay = "30s"
		timeouts = { create = "300ms" }`))
	begin := time.Now()
	output := workspace.mustFail(t, "apply", "-auto-approve")
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the apply took %v in spite of its timeout", took)
	}
	thing, ok := workspace.thing(t)
	if !ok || thing.Status != "tainted" {
		t.Errorf("what was begun is not recorded as tainted: %+v\n%s", thing, output)
	}

	workspace.configure(t, remote.thing(`name = "a"
		delay = "200ms"
		timeouts = { create = "20s" }`))
	workspace.must(t, "apply", "-auto-approve")
	workspace.mustPlanNothing(t)
	if thing, _ = workspace.thing(t); thing.Status != "" {
		t.Errorf("created, but still %q", thing.Status)
	}
}

func TestTimeoutsAreKept(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				timeouts = {
					create = "10s"
					delete = "1m"
				}`),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("timeouts"), knownvalue.ObjectExact(map[string]knownvalue.Check{
					"create": text("10s"),
					"read":   knownvalue.Null(),
					"update": knownvalue.Null(),
					"delete": text("1m"),
				})),
			},
		},
		resource.TestStep{
			Config: remote.thing(`name = "a"
				timeouts = { create = "20s" }`),
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionUpdate)),
			ConfigStateChecks: []statecheck.StateCheck{has(at("timeouts", "create"), text("20s"))},
		},
	)
}

func TestInterruptStopsAtTheNextStepAndKeepsWhatWasBegun(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"
		delay = "1m"`))
	cmd, output := workspace.command("apply", "-auto-approve")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	for deadline := time.Now().Add(30 * time.Second); remote.count(t, "step a 3") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the creation never came to its third step")
		}
	}
	// As Ctrl-C does, to the engine and the provider alike.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the apply goes on in spite of the interrupt")
	}
	thing, ok := workspace.thing(t)
	if !ok || thing.Status != "tainted" || thing.Attributes["id"] != "thing-a" {
		t.Errorf("what was begun is not recorded as tainted: %+v\n%s", thing, output)
	}
	if strings.Contains(output.String(), "did not respond") {
		t.Errorf("the provider did not survive the interrupt:\n%s", output)
	}
}
