//! `GetProviderSchema`, `GetMetadata`, `GetResourceIdentitySchemas`.

use std::collections::HashMap;

use super::Shared;
use crate::proto::tfplugin6::{
    Schema, ServerCapabilities, get_metadata, get_provider_schema, get_resource_identity_schemas,
};
use crate::tfplugin::api::Provider;

const CAPABILITIES: ServerCapabilities = ServerCapabilities {
    plan_destroy: true,
    // Each process knows its schemas, so that the client may reuse those it was told before.
    get_provider_schema_optional: true,
    move_resource_state: false,
    generate_resource_config: false,
};

impl<P: Provider> Shared<P> {
    pub(super) fn schemas(&self) -> get_provider_schema::Response {
        let registry = &self.registry;
        let named = |name: &&'static str, schema: Schema| ((*name).to_owned(), schema);
        let resources = registry.resources.iter();
        let data_sources = registry.data_sources.iter();
        let ephemerals = registry.ephemerals.iter();
        get_provider_schema::Response {
            provider: Some(self.provider_schema.to_proto()),
            resource_schemas: resources.map(|(k, it)| named(k, it.schema().to_proto())).collect(),
            data_source_schemas: data_sources
                .map(|(k, it)| named(k, it.schema().to_proto()))
                .collect(),
            ephemeral_resource_schemas: ephemerals
                .map(|(k, it)| named(k, it.schema().to_proto()))
                .collect(),
            server_capabilities: Some(CAPABILITIES),
            ..get_provider_schema::Response::default()
        }
    }

    pub(super) fn metadata(&self) -> get_metadata::Response {
        use get_metadata::{DataSourceMetadata, EphemeralMetadata, ResourceMetadata};
        let registry = &self.registry;
        let name = |it: &&'static str| (*it).to_owned();
        let resources = registry.resources.keys().map(name);
        let data_sources = registry.data_sources.keys().map(name);
        let ephemerals = registry.ephemerals.keys().map(name);
        get_metadata::Response {
            server_capabilities: Some(CAPABILITIES),
            resources: resources.map(|type_name| ResourceMetadata { type_name }).collect(),
            data_sources: data_sources.map(|type_name| DataSourceMetadata { type_name }).collect(),
            ephemeral_resources: ephemerals
                .map(|type_name| EphemeralMetadata { type_name })
                .collect(),
            ..get_metadata::Response::default()
        }
    }

    pub(super) fn identity_schemas(&self) -> get_resource_identity_schemas::Response {
        let schemas = self.registry.resources.iter().filter_map(|(name, resource)| {
            Some(((*name).to_owned(), resource.identity()?.to_identity_proto()))
        });
        get_resource_identity_schemas::Response {
            identity_schemas: schemas.collect::<HashMap<_, _>>(),
            diagnostics: Vec::new(),
        }
    }
}
