package acceptance

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
)

func TestWorkByHandIsSeenAndUndone(t *testing.T) {
	remote := newRemote(t)
	config := remote.thing(`name = "a"`)
	run(t, remote,
		resource.TestStep{Config: config},
		resource.TestStep{
			PreConfig:          func() { remote.edit(t, "a") },
			RefreshState:       true,
			ExpectNonEmptyPlan: true,
			RefreshPlanChecks: resource.RefreshPlanChecks{PostRefresh: []plancheck.PlanCheck{
				will(plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(thing, at("drift"), knownvalue.ListExact(nil)),
			}},
		},
		resource.TestStep{
			Config:            config,
			ConfigPlanChecks:  planned(will(plancheck.ResourceActionUpdate)),
			ConfigStateChecks: []statecheck.StateCheck{has(at("drift"), knownvalue.ListExact(nil))},
		},
	)
}

func TestRefreshOnlyRecordsDriftAndTouchesNothing(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"`))
	workspace.must(t, "apply", "-auto-approve")
	remote.edit(t, "a")
	if output, status := workspace.run(t, "plan", "-refresh-only", "-detailed-exitcode"); status != 2 {
		t.Errorf("the drift was not seen (exit status %d):\n%s", status, output)
	}

	workspace.must(t, "apply", "-refresh-only", "-auto-approve")
	thing, _ := workspace.thing(t)
	if drift, _ := thing.Attributes["drift"].([]any); len(drift) == 0 {
		t.Errorf("the drift was not recorded: %v", thing.Attributes["drift"])
	}
	if updated := remote.count(t, "update a"); updated != 0 {
		t.Errorf("updated %d times by a refresh", updated)
	}

	workspace.must(t, "apply", "-auto-approve")
	workspace.mustPlanNothing(t)
	if updated := remote.count(t, "update a"); updated != 1 {
		t.Errorf("updated %d times, want once", updated)
	}
}

func TestThingThatIsGoneIsCreatedAgain(t *testing.T) {
	remote := newRemote(t)
	config := remote.thing(`name = "a"`)
	run(t, remote,
		resource.TestStep{Config: config},
		resource.TestStep{
			PreConfig:        func() { remote.remove(t, "a") },
			Config:           config,
			ConfigPlanChecks: planned(will(plancheck.ResourceActionCreate)),
		},
	)
}

func TestStateOfTheFirstVersionIsUpgraded(t *testing.T) {
	t.Parallel()
	remote := newRemote(t)
	workspace := newWorkspace(t, remote.thing(`name = "a"
		size = 3`))
	workspace.must(t, "apply", "-auto-approve")
	workspace.write(t, "terraform.tfstate", firstVersion(t, workspace.stateFile(t)))
	workspace.mustPlanNothing(t)

	workspace.configure(t, remote.thing(`name = "a"
		size = 4`))
	workspace.must(t, "apply", "-auto-approve")
	thing, _ := workspace.thing(t)
	if thing.SchemaVersion != 1 || thing.Attributes["name"] != "a" || thing.Attributes["title"] != nil {
		t.Errorf("not upgraded: %+v", thing)
	}
	if created := remote.count(t, "create a"); created != 1 {
		t.Errorf("created %d times, want once", created)
	}
}

// firstVersion rewrites a state as version 0 of the schema stored it: a title instead of a name, and
// the size as text. It knew nothing of what came later.
func firstVersion(t *testing.T, text []byte) string {
	t.Helper()
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	for _, resource := range state["resources"].([]any) {
		for _, instance := range resource.(map[string]any)["instances"].([]any) {
			instance := instance.(map[string]any)
			attributes := instance["attributes"].(map[string]any)
			attributes["title"], attributes["size"] = attributes["name"], "3"
			delete(attributes, "name")
			instance["schema_version"] = 0
			delete(instance, "identity")
			delete(instance, "identity_schema_version")
		}
	}
	rewritten, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return string(rewritten)
}
