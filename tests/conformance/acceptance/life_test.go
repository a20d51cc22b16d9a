package acceptance

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
)

func TestThingIsCreatedUpdatedReplacedAndDestroyed(t *testing.T) {
	remote := newRemote(t)
	fingerprint := statecheck.CompareValue(compare.ValuesDiffer())
	serial := statecheck.CompareValue(compare.ValuesDiffer())
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				note = "one"`),
			ConfigPlanChecks: planned(
				will(plancheck.ResourceActionCreate),
				plancheck.ExpectUnknownValue(thing, at("id")),
				plancheck.ExpectUnknownValue(thing, at("fingerprint")),
			),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("id"), text("thing-a")),
				has(at("name"), text("a")),
				has(at("note"), text("one")),
				has(at("drift"), knownvalue.ListExact(nil)),
				fingerprint.AddStateValue(thing, at("fingerprint")),
				serial.AddStateValue(thing, at("serial")),
			},
		},
		resource.TestStep{
			PreConfig: func() { remote.expect(t, "a") },
			Config: remote.thing(`name = "a"
				note = "longer"`),
			ConfigPlanChecks: planned(
				will(plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(thing, at("id"), text("thing-a")),
				plancheck.ExpectUnknownValue(thing, at("fingerprint")),
				plancheck.ExpectUnknownValue(thing, at("serial")),
			),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("note"), text("longer")),
				fingerprint.AddStateValue(thing, at("fingerprint")),
				serial.AddStateValue(thing, at("serial")),
			},
		},
		// The fingerprint depends on the note, but not on a tag.
		resource.TestStep{
			Config: remote.thing(`name = "a"
				note = "longer"
				tags = { colour = "red" }`),
			ConfigPlanChecks: planned(
				will(plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(thing, at("fingerprint"), knownvalue.NotNull()),
				plancheck.ExpectUnknownValue(thing, at("serial")),
			),
			ConfigStateChecks: []statecheck.StateCheck{serial.AddStateValue(thing, at("serial"))},
		},
		resource.TestStep{
			Config:            remote.thing(`name = "b"`),
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionDestroyBeforeCreate), plancheck.ExpectUnknownValue(thing, at("id"))),
			ConfigStateChecks: []statecheck.StateCheck{has(at("id"), text("thing-b")), has(at("note"), knownvalue.Null())},
		},
		resource.TestStep{
			PreConfig: func() { remote.expect(t, "b") },
			Config:    remote.thing(`name = "b"`),
			Destroy:   true,
		},
		resource.TestStep{
			PreConfig: func() { remote.expect(t) },
			Config:    remote.config(""),
		},
	)
	for event, want := range map[string]int{"create a": 1, "update a": 2, "delete a": 1, "create b": 1, "delete b": 1} {
		if found := remote.count(t, event); found != want {
			t.Errorf("%q happened %d times, want %d", event, found, want)
		}
	}
}

func TestDefaultsAreShownInThePlan(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"`),
			ConfigPlanChecks: planned(
				plancheck.ExpectKnownValue(thing, at("size"), whole(1)),
				plancheck.ExpectKnownValue(thing, at("kind"), text("small")),
				plancheck.ExpectKnownValue(thing, at("drift"), knownvalue.ListExact(nil)),
				plancheck.ExpectKnownValue(thing, at("note"), knownvalue.Null()),
			),
		},
		resource.TestStep{
			Config: remote.thing(`name = "a"
				size = 5`),
			ConfigStateChecks: []statecheck.StateCheck{has(at("size"), whole(5))},
		},
		// An argument taken away is back at its default.
		resource.TestStep{
			Config:            remote.thing(`name = "a"`),
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionUpdate), plancheck.ExpectKnownValue(thing, at("size"), whole(1))),
			ConfigStateChecks: []statecheck.StateCheck{has(at("size"), whole(1))},
		},
	)
}

func TestTaintedThingIsReplaced(t *testing.T) {
	remote := newRemote(t)
	config := remote.thing(`name = "a"`)
	run(t, remote,
		resource.TestStep{Config: config},
		resource.TestStep{
			Taint:            []string{thing},
			Config:           config,
			ConfigPlanChecks: planned(will(plancheck.ResourceActionDestroyBeforeCreate)),
		},
	)
	if found := remote.count(t, "create a"); found != 2 {
		t.Errorf("created %d times, want twice", found)
	}
}

func TestThingIsReplacedOnDemand(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"`))
	workspace.must(t, "apply", "-auto-approve")
	workspace.must(t, "apply", "-auto-approve", "-replace="+thing)
	workspace.mustPlanNothing(t)
	if created, deleted := remote.count(t, "create a"), remote.count(t, "delete a"); created != 2 || deleted != 1 {
		t.Errorf("created %d and deleted %d times, want 2 and 1", created, deleted)
	}
}

func TestReplacementMayBeCreatedFirst(t *testing.T) {
	remote := newRemote(t)
	config := func(name string) string {
		return remote.thing(`name = "` + name + `"
			lifecycle {
				create_before_destroy = true
			}`)
	}
	run(t, remote,
		resource.TestStep{Config: config("a")},
		resource.TestStep{
			Config:            config("b"),
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionCreateBeforeDestroy)),
			ConfigStateChecks: []statecheck.StateCheck{has(at("id"), text("thing-b"))},
		},
	)
}

func TestChangeOfKindIsRefusedByThePlanAtItsArgument(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				kind = "small"`),
		},
		resource.TestStep{
			Config: remote.thing(`name = "a"
				kind = "large"`),
			// The engine quotes the line only if the problem has a path.
			ExpectError: regexp.MustCompile(`(?s)pre-apply plan.*kind\s*= "large"`),
		},
		resource.TestStep{
			Config:           remote.thing(`name = "a"`),
			ConfigPlanChecks: planned(will(plancheck.ResourceActionNoop)),
		},
	)
}

func TestWrongArgumentsAreRefusedWhereTheyAre(t *testing.T) {
	for name, test := range map[string]struct{ arguments, quoted string }{
		"name":     {`name = "Not A Name"`, `name\s*= "Not A Name"`},
		"too big":  {"name = \"a\"\nsize = 11", `size\s*= 11`},
		"fraction": {"name = \"a\"\nsize = 1.5", `size\s*= 1.5`},
		"kind":     {"name = \"a\"\nkind = \"huge\"", `kind\s*= "huge"`},
		// Of a path that leads into an object, the engine shows but the resource.
		"timeout": {"name = \"a\"\ntimeouts = { create = \"soon\" }", `with probe_thing\.a`},
	} {
		t.Run(name, func(t *testing.T) {
			remote := newRemote(t)
			run(t, remote, resource.TestStep{
				Config:      remote.thing(test.arguments),
				ExpectError: regexp.MustCompile(test.quoted),
			})
		})
	}
}

func TestMissingDirectoryIsAnErrorOfTheProvider(t *testing.T) {
	t.Parallel()
	workspace := newWorkspace(t, `
		provider "probe" {}
		resource "probe_thing" "a" {
			name = "a"
		}`)
	output := workspace.mustFail(t, "plan")
	if !regexp.MustCompile(`(?s)Error: .*provider "probe"`).MatchString(output) {
		t.Errorf("the problem does not lead to the provider block:\n%s", output)
	}
}

func TestDataSourceReadsWhatExists(t *testing.T) {
	remote := newRemote(t)
	const all, some = "data.probe_things.all", "data.probe_things.some"
	config := remote.config(`
		resource "probe_thing" "a" {
			count = 3
			name  = ["aa", "ab", "b"][count.index]
		}
		data "probe_things" "all" {
			depends_on = [probe_thing.a]
		}
		data "probe_things" "some" {
			prefix     = "b"
			depends_on = [probe_thing.a]
		}`)
	run(t, remote, resource.TestStep{
		Config: config,
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownValue(all, at("names"), knownvalue.ListSizeExact(3)),
			statecheck.ExpectKnownValue(some, at("names"), knownvalue.ListExact([]knownvalue.Check{text("b")})),
		},
	})
}
