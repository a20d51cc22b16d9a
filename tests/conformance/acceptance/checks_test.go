package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const thing = "probe_thing.a"

// at is a path by its names.
func at(first string, rest ...string) tfjsonpath.Path {
	path := tfjsonpath.New(first)
	for _, name := range rest {
		path = path.AtMapKey(name)
	}
	return path
}

// has expects an attribute of probe_thing.a in the state.
func has(path tfjsonpath.Path, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(thing, path, value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func whole(value int64) knownvalue.Check { return knownvalue.Int64Exact(value) }

func number(t *testing.T, digits string) knownvalue.Check {
	t.Helper()
	value, _, err := big.ParseFloat(digits, 10, 512, big.ToNearestEven)
	if err != nil {
		t.Fatal(err)
	}
	return knownvalue.NumberExact(value)
}

func planned(checks ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: checks}
}

// will expects what is to happen to probe_thing.a.
func will(action plancheck.ResourceActionType) plancheck.PlanCheck {
	return plancheck.ExpectResourceAction(thing, action)
}

// was expects an attribute of probe_thing.a as it is before the plan is carried out: what an apply
// that failed has left in the state.
func was(name string, value any) plancheck.PlanCheck {
	return planCheck(func(plan *tfjson.Plan) error {
		for _, change := range plan.ResourceChanges {
			before, ok := change.Change.Before.(map[string]any)
			if change.Address != thing || !ok {
				continue
			}
			if found := before[name]; !reflect.DeepEqual(found, value) {
				return fmt.Errorf("%s.%s was %v, want %v", thing, name, found, value)
			}
			return nil
		}
		return fmt.Errorf("%s was not there", thing)
	})
}

type planCheck func(*tfjson.Plan) error

func (check planCheck) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	resp.Error = check(req.Plan)
}

// lacks expects that a secret is nowhere in the state.
func lacks(secret string) statecheck.StateCheck {
	return stateCheck(func(state *tfjson.State) error {
		text, err := json.Marshal(state)
		if err == nil && strings.Contains(string(text), secret) {
			err = fmt.Errorf("the state holds %q", secret)
		}
		return err
	})
}

type stateCheck func(*tfjson.State) error

func (check stateCheck) CheckState(_ context.Context, req statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse) {
	resp.Error = check(req.State)
}
