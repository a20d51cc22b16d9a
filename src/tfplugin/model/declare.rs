//! The `model!` macro.

/// Declares a model: a struct whose fields are attributes with their rules.
///
/// Each field is `name: Type = rules`; its doc comment is the description of the attribute. The
/// rules are those of [`tfplugin::schema`](crate::tfplugin::schema): `required()`, `optional()`,
/// `computed()` and what can be said of them. `Type` is nearly always a `Value<T>`.
#[macro_export]
macro_rules! model {
    (
        $(#[doc = $doc:literal])*
        $visibility:vis struct $model:ident {
            $( $(#[doc = $text:literal])* $field:ident : $ty:ty = $rules:expr ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Default, PartialEq)]
        $visibility struct $model {
            $( $(#[doc = $text])* pub $field: $ty, )*
        }

        /// Sensitive and write-only values are not shown.
        impl std::fmt::Debug for $model {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                #[allow(unused_imports, reason = "a model need not use every rule")]
                use $crate::tfplugin::schema::*;
                let mut shown = f.debug_struct(stringify!($model));
                $( match $rules.is_hidden() {
                    true => shown.field(stringify!($field), &format_args!("…")),
                    false => shown.field(stringify!($field), &self.$field),
                }; )*
                shown.finish()
            }
        }

        impl $crate::tfplugin::model::Model for $model {
            const DOCS: &'static [&'static str] = &[$($doc),*];

            fn attributes() -> Vec<$crate::tfplugin::schema::Attribute> {
                #[allow(unused_imports, reason = "a model need not use every rule")]
                use $crate::tfplugin::schema::*;
                vec![$( Attribute::new(
                    stringify!($field),
                    &[$($text),*],
                    <$ty as $crate::tfplugin::model::Typed>::shape(),
                    $rules,
                ), )*]
            }

            #[allow(unused_imports, unused_variables, reason = "a model may have no attributes")]
            fn decode_object(
                object: &std::collections::BTreeMap<String, $crate::tfplugin::value::Datum>,
                at: &$crate::tfplugin::model::Trail<'_>,
                faults: &mut $crate::tfplugin::diagnostics::Diagnostics,
            ) -> Result<Self, $crate::tfplugin::model::Faulty> {
                use $crate::tfplugin::model::decode_attribute;
                // All attributes are read before the first fault ends it, so that all are told.
                $( let $field = decode_attribute(object, stringify!($field), at, faults); )*
                Ok(Self { $( $field: $field?, )* })
            }

            #[allow(unused_imports, reason = "a model may have no attributes")]
            fn encode_object(
                &self,
            ) -> std::collections::BTreeMap<String, $crate::tfplugin::value::Datum> {
                use $crate::tfplugin::model::Typed;
                std::collections::BTreeMap::from([$( (
                    stringify!($field).trim_start_matches("r#").to_owned(),
                    self.$field.encode(),
                ), )*])
            }
        }
    };
}
