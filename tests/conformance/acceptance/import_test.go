package acceptance

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

// importable is a thing all of which its file tells.
const importable = `name = "a"
	note = "one"
	size = 3`

func TestImportByID(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{Config: remote.thing(importable)},
		resource.TestStep{
			ResourceName:      thing,
			ImportState:       true,
			ImportStateId:     "a",
			ImportStateVerify: true,
		},
	)
}

func TestImportBlockByID(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{Config: remote.thing(importable)},
		resource.TestStep{
			ResourceName:    thing,
			ImportState:     true,
			ImportStateKind: resource.ImportBlockWithID,
			ImportStateId:   "a",
		},
	)
}

func TestImportOfNothingIsRefused(t *testing.T) {
	remote := newRemote(t)
	run(t, remote,
		resource.TestStep{Config: remote.thing(importable)},
		resource.TestStep{
			ResourceName:  thing,
			ImportState:   true,
			ImportStateId: "absent",
			ExpectError:   regexp.MustCompile(`Error: `),
		},
	)
}

// identity skips with a reason where the engine stores none: it came with 1.12.
var identity = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_12_0)}

func TestImportBlockByIdentity(t *testing.T) {
	remote := newRemote(t)
	check(t, resource.TestCase{
		TerraformVersionChecks: identity,
		Steps: []resource.TestStep{
			{Config: remote.thing(importable)},
			{
				ResourceName:    thing,
				ImportState:     true,
				ImportStateKind: resource.ImportBlockWithResourceIdentity,
			},
		},
	})
}

func TestIdentityIsStoredAndStays(t *testing.T) {
	remote := newRemote(t)
	checks := []statecheck.StateCheck{
		statecheck.ExpectIdentityValue(thing, at("name"), text("a")),
		statecheck.ExpectIdentityValueMatchesState(thing, at("name")),
	}
	check(t, resource.TestCase{
		TerraformVersionChecks: identity,
		Steps: []resource.TestStep{
			{Config: remote.thing(importable), ConfigStateChecks: checks},
			{Config: remote.thing(`name = "a"`), ConfigStateChecks: checks},
			{
				Config: remote.thing(`name = "b"`),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectIdentityValue(thing, at("name"), text("b")),
				},
			},
		},
	})
}
