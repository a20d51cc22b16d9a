//! A schema as Terraform reads it.

use super::{Attribute, Nesting, Presence, Schema, Shape};
use crate::proto::tfplugin6::schema as wire;
use crate::proto::tfplugin6::{
    ResourceIdentitySchema, Schema as WireSchema, StringKind, resource_identity_schema,
};

impl Schema {
    pub(crate) fn to_proto(&self) -> WireSchema {
        let block = wire::Block {
            version: self.version,
            attributes: self.attributes.iter().map(Attribute::to_proto).collect(),
            description: self.description.clone(),
            description_kind: StringKind::Markdown.into(),
            ..wire::Block::default()
        };
        WireSchema { version: self.version, block: Some(block) }
    }

    pub(crate) fn to_identity_proto(&self) -> ResourceIdentitySchema {
        let attribute = |it: &Attribute| resource_identity_schema::IdentityAttribute {
            name: it.name.to_owned(),
            r#type: it.ty().to_json().into(),
            required_for_import: it.rules.presence == Presence::Required,
            optional_for_import: it.rules.presence != Presence::Required,
            description: it.description.clone(),
        };
        ResourceIdentitySchema {
            version: self.version,
            identity_attributes: self.attributes.iter().map(attribute).collect(),
        }
    }
}

impl Attribute {
    fn to_proto(&self) -> wire::Attribute {
        let rules = &self.rules;
        // Exactly one of `type` and `nested_type` may be set.
        let (ty, nested_type) = match &self.shape {
            Shape::Plain(ty) => (ty.to_json(), None),
            Shape::Nested(nesting, attributes) => (Vec::new(), Some(nested(*nesting, attributes))),
        };
        wire::Attribute {
            name: self.name.to_owned(),
            r#type: ty.into(),
            nested_type,
            description: self.description.clone(),
            description_kind: StringKind::Markdown.into(),
            required: rules.presence == Presence::Required,
            optional: matches!(rules.presence, Presence::Optional | Presence::OptionalComputed),
            computed: rules.is_computed(),
            sensitive: rules.sensitive,
            write_only: rules.write_only,
            deprecated: rules.deprecated.is_some(),
            deprecation_message: rules.deprecated.unwrap_or_default().to_owned(),
        }
    }
}

fn nested(nesting: Nesting, attributes: &[Attribute]) -> wire::Object {
    use wire::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire::Object {
        attributes: attributes.iter().map(Attribute::to_proto).collect(),
        nesting: nesting.into(),
        ..wire::Object::default()
    }
}
