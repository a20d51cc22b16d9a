// Command peer is the provider of the benchmark, written with the Go plugin framework: one resource
// that touches nothing, so that what is measured is the plugin library.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

const address = "registry.terraform.io/terraform-ha/probe"

func main() {
	debug := flag.Bool("debug", false, "serve until interrupted, and print how to reattach")
	flag.Parse()

	options := providerserver.ServeOpts{Address: address, Debug: *debug, ProtocolVersion: 6}
	if err := providerserver.Serve(context.Background(), newProvider, options); err != nil {
		log.Fatal(err)
	}
}

type probe struct{}

func newProvider() provider.Provider { return probe{} }

func (probe) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "probe"
}

func (probe) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (probe) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (probe) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newItem}
}

func (probe) DataSources(context.Context) []func() datasource.DataSource { return nil }
