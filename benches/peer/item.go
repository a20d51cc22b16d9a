package main

import (
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type item struct{}

func newItem() resource.Resource { return item{} }

type itemModel struct {
	Name        types.String `tfsdk:"name"`
	Note        types.String `tfsdk:"note"`
	Size        types.Int64  `tfsdk:"size"`
	Tags        types.Map    `tfsdk:"tags"`
	ID          types.String `tfsdk:"id"`
	Fingerprint types.String `tfsdk:"fingerprint"`
}

func (item) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_item"
}

func (item) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Description: "An item that exists only in the state.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Required: true, Description: "Name of the item."},
			"note": schema.StringAttribute{Optional: true, Description: "Anything worth noting."},
			"size": schema.Int64Attribute{
				Optional:    true,
				Computed:    true,
				Default:     int64default.StaticInt64(1),
				Description: "Size of the item.",
			},
			"tags": schema.MapAttribute{
				Optional:    true,
				ElementType: types.StringType,
				Description: "Free labels.",
			},
			"id": schema.StringAttribute{
				Computed:      true,
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
				Description:   "`item-` and the first name.",
			},
			"fingerprint": schema.StringAttribute{
				Computed:    true,
				Description: "Length of name and note.",
			},
		},
	}
}

func (item) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var model itemModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}

	model.ID = types.StringValue("item-" + model.Name.ValueString())
	model.Fingerprint = fingerprint(model)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

// Read leaves the state as it is: there is nothing behind it.
func (item) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (item) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var model itemModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}

	model.Fingerprint = fingerprint(model)
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func (item) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func fingerprint(model itemModel) types.String {
	return types.StringValue(strconv.Itoa(len(model.Name.ValueString()) + len(model.Note.ValueString())))
}
