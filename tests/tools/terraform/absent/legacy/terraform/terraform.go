// Package terraform stands in for code that only Terraform's own unit tests import.
package terraform
