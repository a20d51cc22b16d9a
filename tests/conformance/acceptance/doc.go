// Package acceptance applies configurations of the probe provider with a real engine, through
// terraform-plugin-testing: after every apply the framework itself demands that the plan be empty.
// What it cannot do, such as reading warnings or interrupting, a Workspace does.
//
// PROBE_BINARY names the provider; TF_ACC_TERRAFORM_PATH the engine, Terraform or OpenTofu, which
// otherwise is the terraform of PATH.
package acceptance
