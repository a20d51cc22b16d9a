// Package pg stands in for a remote backend that the tests do not use.
package pg

import "github.com/hashicorp/terraform/internal/backend"

// New is only reached by a configuration that stores its state in this backend.
func New() backend.Backend {
	panic("this build of Terraform is for tests: it has no backend \"pg\"")
}
