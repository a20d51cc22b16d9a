// Package goplugin drives the probe provider with the client library that Terraform itself uses,
// below the provider protocol: start, certificates, health, logs and end of the process.
//
// PROBE_BINARY names the provider to drive.
package goplugin
