package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
)

func TestNestedValuesOfEveryNesting(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{
			Config: remote.thing(`name = "a"
				settings = { depth = 3 }
				members = {
					one = { address = "192.0.2.1" }
					two = {
						address = "192.0.2.2"
						port    = 1234
						host    = { key = "nested-secret" }
					}
				}
				rules = [
					{ match = "b", weight = 2 },
					{ match = "a" },
				]
				groups = [
					{ title = "empty" },
					{ title = "full", roles = ["x", "y"] },
				]
				labels = ["one", "two"]
				parts  = ["z", "a", "z"]`),
			ConfigPlanChecks: planned(
				plancheck.ExpectKnownValue(thing, at("settings", "mode"), text("slow")),
				plancheck.ExpectUnknownValue(thing, at("settings", "effective")),
				plancheck.ExpectKnownValue(thing, at("members", "one", "port"), whole(2380)),
				plancheck.ExpectUnknownValue(thing, at("members", "one", "endpoint")),
				plancheck.ExpectKnownValue(thing, at("members", "two", "host", "user"), text("root")),
			),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("settings"), knownvalue.ObjectExact(map[string]knownvalue.Check{
					"mode":      text("slow"),
					"depth":     whole(3),
					"effective": knownvalue.NotNull(),
				})),
				has(at("members"), knownvalue.MapExact(map[string]knownvalue.Check{
					"one": knownvalue.ObjectExact(map[string]knownvalue.Check{
						"address":  text("192.0.2.1"),
						"port":     whole(2380),
						"endpoint": knownvalue.NotNull(),
						"host":     knownvalue.Null(),
					}),
					"two": knownvalue.ObjectExact(map[string]knownvalue.Check{
						"address":  text("192.0.2.2"),
						"port":     whole(1234),
						"endpoint": knownvalue.NotNull(),
						"host": knownvalue.ObjectExact(map[string]knownvalue.Check{
							"user": text("root"),
							"key":  text("nested-secret"),
						}),
					}),
				})),
				has(at("rules"), knownvalue.ListExact([]knownvalue.Check{
					knownvalue.ObjectExact(map[string]knownvalue.Check{"match": text("b"), "weight": whole(2)}),
					knownvalue.ObjectExact(map[string]knownvalue.Check{"match": text("a"), "weight": knownvalue.Null()}),
				})),
				has(at("groups"), knownvalue.SetExact([]knownvalue.Check{
					knownvalue.ObjectExact(map[string]knownvalue.Check{"title": text("empty"), "roles": knownvalue.Null()}),
					knownvalue.ObjectExact(map[string]knownvalue.Check{
						"title": text("full"),
						"roles": knownvalue.SetExact([]knownvalue.Check{text("x"), text("y")}),
					}),
				})),
				has(at("labels"), knownvalue.SetExact([]knownvalue.Check{text("one"), text("two")})),
				has(at("parts"), knownvalue.ListExact([]knownvalue.Check{text("z"), text("a"), text("z")})),
				statecheck.ExpectSensitiveValue(thing, at("members", "two", "host", "key")),
			},
		},
		// Elements come, go and change; what is empty is not null.
		resource.TestStep{
			Config: remote.thing(`name = "a"
				settings = {}
				members = {
					two   = { address = "192.0.2.2", host = { user = "admin" } }
					three = { address = "192.0.2.3" }
				}
				rules  = []
				groups = [{ title = "full", roles = [] }]
				labels = []
				tags   = {}`),
			ConfigPlanChecks: planned(will(plancheck.ResourceActionUpdate)),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("settings", "depth"), knownvalue.Null()),
				has(at("members"), knownvalue.MapSizeExact(2)),
				has(at("members", "two", "port"), whole(2380)),
				has(at("members", "two", "host", "user"), text("admin")),
				has(at("members", "two", "host", "key"), knownvalue.Null()),
				has(at("members", "three", "endpoint"), knownvalue.NotNull()),
				has(at("rules"), knownvalue.ListExact(nil)),
				has(at("groups"), knownvalue.SetExact([]knownvalue.Check{
					knownvalue.ObjectExact(map[string]knownvalue.Check{
						"title": text("full"),
						"roles": knownvalue.SetExact(nil),
					}),
				})),
				has(at("labels"), knownvalue.SetExact(nil)),
				has(at("tags"), knownvalue.MapExact(nil)),
				has(at("parts"), knownvalue.Null()),
			},
		},
		resource.TestStep{
			Config:           remote.thing(`name = "a"`),
			ConfigPlanChecks: planned(will(plancheck.ResourceActionUpdate)),
			ConfigStateChecks: []statecheck.StateCheck{
				has(at("settings"), knownvalue.Null()),
				has(at("members"), knownvalue.Null()),
				has(at("rules"), knownvalue.Null()),
				has(at("groups"), knownvalue.Null()),
			},
		},
	)
}

func TestDynamicValueKeepsItsTypeAndMayChangeIt(t *testing.T) {
	remote := newRemote(t)
	step := func(expression string, value knownvalue.Check) resource.TestStep {
		return resource.TestStep{
			Config:            remote.thing("name = \"a\"\nanything = " + expression),
			ConfigStateChecks: []statecheck.StateCheck{has(at("anything"), value)},
		}
	}
	run(t, remote,
		step(`"text"`, text("text")),
		step(`12345678901234567890.5`, number(t, "12345678901234567890.5")),
		step(`true`, knownvalue.Bool(true)),
		step(`{ flag = true, list = ["a", "b"] }`, knownvalue.ObjectExact(map[string]knownvalue.Check{
			"flag": knownvalue.Bool(true),
			"list": knownvalue.ListExact([]knownvalue.Check{text("a"), text("b")}),
		})),
		step(`["a", "b"]`, knownvalue.ListExact([]knownvalue.Check{text("a"), text("b")})),
		step(`tomap({ key = "value" })`, knownvalue.MapExact(map[string]knownvalue.Check{"key": text("value")})),
		step(`null`, knownvalue.Null()),
	)
}

func TestNumbersAreExact(t *testing.T) {
	for _, digits := range []string{
		"0.1",
		"-0.000000000000000000001",
		"123456789012345678901234567890.125",
		"18446744073709551616",
	} {
		t.Run(digits, func(t *testing.T) {
			remote := newRemote(t)
			run(t, remote, resource.TestStep{
				Config:            remote.thing("name = \"a\"\nratio = " + digits),
				ConfigStateChecks: []statecheck.StateCheck{has(at("ratio"), number(t, digits))},
			})
		})
	}
}

func TestTextIsKeptByteForByte(t *testing.T) {
	for name, note := range map[string]string{
		"empty":     "",
		"controls":  "a\tb\nc\r\n\"quoted\" \\ back",
		"wide":      "grüße, 世界, 🦀",
		"templates": "%{ if } ${ x }",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "note")
			if err := os.WriteFile(file, []byte(note), 0o644); err != nil {
				t.Fatal(err)
			}
			remote := newRemote(t)
			run(t, remote, resource.TestStep{
				Config:            remote.thing(fmt.Sprintf("name = \"a\"\nnote = file(%q)", file)),
				ConfigStateChecks: []statecheck.StateCheck{has(at("note"), text(note))},
			})
		})
	}
}

func TestSensitiveValueIsMarkedAndNotShown(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"
		secret  = "swordfish"
		members = { one = { address = "192.0.2.1", host = { key = "nested-swordfish" } } }`))
	output := workspace.must(t, "apply", "-auto-approve")
	workspace.configure(t, remote.thing(`name = "a"
		secret = "swordfish-2"`))
	output += workspace.must(t, "apply", "-auto-approve") + workspace.must(t, "show")
	if strings.Contains(output, "swordfish") {
		t.Errorf("a sensitive value was shown:\n%s", output)
	}
	workspace.mustPlanNothing(t)
	if thing, _ := workspace.thing(t); thing.Attributes["secret"] != "swordfish-2" {
		t.Error("the state does not hold the secret")
	}
}

func TestWriteOnlyValueIsNeverStored(t *testing.T) {
	remote := newRemote(t)
	config := func(password string, version int) string {
		return remote.thing(fmt.Sprintf("name = \"a\"\npassword = %q\npassword_version = %d", password, version))
	}
	checks := []statecheck.StateCheck{has(at("password"), knownvalue.Null()), lacks("correct horse")}
	run(t, remote,
		resource.TestStep{Config: config("correct horse", 1), ConfigStateChecks: checks},
		// The value alone is nothing that a plan could see.
		resource.TestStep{
			Config:           config("correct horse 2", 1),
			ConfigPlanChecks: planned(will(plancheck.ResourceActionNoop)),
		},
		resource.TestStep{
			Config:            config("correct horse 2", 2),
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionUpdate), plancheck.ExpectKnownValue(thing, at("password"), knownvalue.Null())),
			ConfigStateChecks: checks,
		},
		// A replacement has a plan of its own.
		resource.TestStep{
			Taint:             []string{thing},
			Config:            config("correct horse 2", 2),
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionDestroyBeforeCreate)),
			ConfigStateChecks: checks,
		},
	)
}

func TestUnknownValuesBecomeKnownWhenApplied(t *testing.T) {
	const b = "probe_thing.b"
	remote := newRemote(t)
	config := func(note string) string {
		return remote.config(fmt.Sprintf(`
			resource "probe_thing" "a" {
				name = "a"
				note = %q
			}
			resource "probe_thing" "b" {
				name     = "b-${probe_thing.a.id}"
				note     = probe_thing.a.fingerprint
				size     = length(probe_thing.a.fingerprint) > 0 ? 2 : 3
				parts    = split("-", probe_thing.a.fingerprint)
				tags     = { plain = "known", taken = probe_thing.a.fingerprint }
				labels   = [probe_thing.a.fingerprint, "known"]
				anything = { taken = probe_thing.a.fingerprint }
				settings = { depth = length(probe_thing.a.fingerprint) }
				members  = { for part in toset(split("-", probe_thing.a.fingerprint)) : "x${part}" => { address = part } }
				rules    = [{ match = probe_thing.a.fingerprint }]
				groups   = [{ title = probe_thing.a.fingerprint }, { title = "known" }]
			}`, note))
	}
	same := statecheck.CompareValuePairs(thing, at("fingerprint"), b, at("note"), compare.ValuesSame())
	run(t, remote,
		resource.TestStep{
			Config: config("one"),
			ConfigPlanChecks: planned(
				plancheck.ExpectUnknownValue(b, at("name")),
				plancheck.ExpectUnknownValue(b, at("note")),
				plancheck.ExpectUnknownValue(b, at("parts")),
				plancheck.ExpectUnknownValue(b, at("members")),
				plancheck.ExpectUnknownValue(b, at("anything", "taken")),
				plancheck.ExpectUnknownValue(b, at("settings", "depth")),
				plancheck.ExpectKnownValue(b, at("tags", "plain"), text("known")),
				plancheck.ExpectUnknownValue(b, at("tags", "taken")),
			),
			ConfigStateChecks: []statecheck.StateCheck{
				same,
				statecheck.ExpectKnownValue(b, at("id"), text("thing-b-thing-a")),
				statecheck.ExpectKnownValue(b, at("size"), whole(2)),
			},
		},
		// The name stays known, so that an update is all it takes.
		resource.TestStep{
			Config: config("two, and longer"),
			ConfigPlanChecks: planned(
				plancheck.ExpectResourceAction(b, plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(b, at("name"), text("b-thing-a")),
				plancheck.ExpectUnknownValue(b, at("note")),
			),
			ConfigStateChecks: []statecheck.StateCheck{same},
		},
	)
}

func TestProviderMayBeConfiguredFromAnotherThing(t *testing.T) {
	const b = "probe_thing.b"
	remote := newRemote(t)
	second := filepath.Join(remote.dir, "thing-a")
	if err := os.Mkdir(second, 0o755); err != nil {
		t.Fatal(err)
	}
	config := remote.config(fmt.Sprintf(`
		resource "probe_thing" "a" {
			name = "a"
		}
		provider "probe" {
			alias     = "second"
			directory = "%s/${probe_thing.a.id}"
		}
		resource "probe_thing" "b" {
			provider = probe.second
			name     = "b"
		}`, remote.dir))
	run(t, remote, resource.TestStep{
		Config: config,
		ConfigPlanChecks: planned(
			plancheck.ExpectResourceAction(b, plancheck.ResourceActionCreate),
			plancheck.ExpectKnownValue(b, at("size"), whole(1)),
		),
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownValue(b, at("id"), text("thing-b")),
			stateCheck(func(*tfjson.State) error {
				_, err := os.Stat(filepath.Join(second, "b.json"))
				return err
			}),
		},
	})
}

func TestUseOfADeprecatedArgumentIsWarnedAbout(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"
		old = "still"`))
	output := workspace.must(t, "validate")
	if !strings.Contains(output, "Warning") || !strings.Contains(strings.ToLower(output), "deprecated") {
		t.Errorf("no warning about the deprecated argument:\n%s", output)
	}
	workspace.must(t, "apply", "-auto-approve")
	workspace.mustPlanNothing(t)
	workspace.configure(t, remote.thing(`name = "a"`))
	if output := workspace.must(t, "validate"); strings.Contains(output, "Warning") {
		t.Errorf("a warning without a reason:\n%s", output)
	}
}
