//! msgpack, read under a type.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rmp::Marker;
use rmp::decode::{self, NumValueReadError, ValueReadError};

use super::error::{WireError, wanted};
use super::{MAX_DEPTH, refinements};
use crate::tfplugin::path::Step;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Number, Set};

/// The one value that `bytes` are.
pub(super) fn read(bytes: &[u8], ty: &Type) -> Result<Datum, WireError> {
    let mut reader = Reader::new(bytes);
    let datum = reader.value(ty, MAX_DEPTH)?;
    match reader.rest.len() {
        0 => Ok(datum),
        more => Err(WireError::new(format!("{more} more bytes"), "the end of the value")),
    }
}

/// Takes values from the front of a slice. Lengths are believed only as far as bytes follow, so
/// nothing is allocated ahead.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Result<Datum, WireError> {
        let marker = self.peek()?;
        if marker == Marker::Null {
            self.take(1)?;
            return Ok(Datum::Null);
        }
        if is_extension(marker) {
            return self.unknown(ty);
        }
        let Some(depth) = depth.checked_sub(1) else {
            let found = format!("a value nested more than {MAX_DEPTH} levels deep");
            return Err(WireError::new(found, "a flatter one"));
        };
        match ty {
            Type::Bool => self.bool().map(Datum::Bool),
            Type::Number => self.number().map(Datum::Number),
            Type::String => self.text("a string").map(Datum::from),
            Type::Dynamic => self.dynamic(depth),
            Type::List(of) => self.list(of, depth),
            Type::Set(of) => self.set(of, depth),
            Type::Map(of) => self.map(of, depth),
            Type::Object(attributes) => self.object(attributes, depth),
            Type::Tuple(elements) => self.tuple(elements, depth),
        }
    }

    /// Any extension is an unknown value; only one code carries refinements.
    fn unknown(&mut self, ty: &Type) -> Result<Datum, WireError> {
        let meta = decode::read_ext_meta(&mut self.rest).map_err(|it| unfit(&it, "an unknown"))?;
        let payload = self.take(meta.size)?;
        if meta.typeid != refinements::EXTENSION || payload.len() <= 1 || *ty == Type::Dynamic {
            return Ok(Datum::UNKNOWN);
        }
        refinements::read(payload, ty).map(Datum::Unknown)
    }

    /// `[type, value]`.
    fn dynamic(&mut self, depth: usize) -> Result<Datum, WireError> {
        let parts = self.array_len(&wanted(&Type::Dynamic))?;
        if parts != 2 {
            return Err(WireError::new(format!("{parts} parts"), "a type and a value"));
        }
        let is_bin = matches!(self.peek()?, Marker::Bin8 | Marker::Bin16 | Marker::Bin32);
        let length = if is_bin {
            decode::read_bin_len(&mut self.rest)
        } else {
            decode::read_str_len(&mut self.rest)
        };
        let json = self.take(length.map_err(|it| unfit(&it, "a type in JSON"))?)?;
        let ty = Type::from_json(json)
            .map_err(|it| WireError::new(format!("no type ({it})"), "a type in JSON"))?;
        let datum = self.value(&ty, depth)?;
        // The value inside has already said what type it is, or that it has none.
        if ty == Type::Dynamic {
            return Ok(datum);
        }
        Ok(Datum::Dynamic(Box::new((ty, datum))))
    }

    fn list(&mut self, of: &Type, depth: usize) -> Result<Datum, WireError> {
        let mut items = Vec::new();
        for at in 0..self.array_len("a list")? {
            items.push(self.element(at, of, depth)?);
        }
        Ok(Datum::List(items))
    }

    fn tuple(&mut self, elements: &[Type], depth: usize) -> Result<Datum, WireError> {
        let wanted = || format!("a tuple of {} elements", elements.len());
        let length = self.array_len("a tuple")?;
        if usize::try_from(length).ok() != Some(elements.len()) {
            return Err(WireError::new(format!("{length} elements"), wanted()));
        }
        let mut items = Vec::with_capacity(elements.len());
        for (at, of) in (0..length).zip(elements) {
            items.push(self.element(at, of, depth)?);
        }
        Ok(Datum::List(items))
    }

    fn element(&mut self, at: u32, of: &Type, depth: usize) -> Result<Datum, WireError> {
        let step = || Step::Index(usize::try_from(at).unwrap_or(usize::MAX));
        self.value(of, depth).map_err(|it| it.inside(step()))
    }

    fn set(&mut self, of: &Type, depth: usize) -> Result<Datum, WireError> {
        let mut items = Vec::new();
        for _ in 0..self.array_len("a set")? {
            items.push(self.value(of, depth)?);
        }
        Ok(Datum::Set(Set(items)))
    }

    fn map(&mut self, of: &Type, depth: usize) -> Result<Datum, WireError> {
        let mut items = BTreeMap::new();
        for _ in 0..self.map_len("a map")? {
            let key = self.text("a string as key")?.to_owned();
            let item = self.value(of, depth).map_err(|it| it.inside(Step::Key(key.clone())))?;
            insert(&mut items, key, item)?;
        }
        Ok(Datum::Map(items))
    }

    fn object(
        &mut self,
        attributes: &BTreeMap<String, Type>,
        depth: usize,
    ) -> Result<Datum, WireError> {
        let mut items = BTreeMap::new();
        for _ in 0..self.map_len("an object")? {
            let name = self.text("a string as attribute name")?;
            let of = attributes.get(name).ok_or_else(|| WireError::extra(name))?;
            let name = name.to_owned();
            let item =
                self.value(of, depth).map_err(|it| it.inside(Step::Attribute(name.clone())))?;
            insert(&mut items, name, item)?;
        }
        // Nothing is there twice and nothing extra, so that only something missing is left.
        if items.len() < attributes.len()
            && let Some(name) = attributes.keys().find(|it| !items.contains_key(*it))
        {
            return Err(WireError::missing(name));
        }
        Ok(Datum::Map(items))
    }

    pub(super) fn bool(&mut self) -> Result<bool, WireError> {
        decode::read_bool(&mut self.rest).map_err(|it| unfit(&it, "a bool"))
    }

    /// An integer, a double or decimals in a string.
    pub(super) fn number(&mut self) -> Result<Number, WireError> {
        let wanted = "a number";
        let number = match self.peek()? {
            Marker::F32 => {
                let value = decode::read_f32(&mut self.rest).map_err(|it| unfit(&it, wanted))?;
                Number::from_f64(value.into())
            }
            Marker::F64 => {
                let value = decode::read_f64(&mut self.rest).map_err(|it| unfit(&it, wanted))?;
                Number::from_f64(value)
            }
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                Number::parse(self.text(wanted)?)
            }
            Marker::U64 => {
                let value = decode::read_u64(&mut self.rest).map_err(|it| unfit(&it, wanted))?;
                return Ok(value.into());
            }
            _ => {
                let value: i64 = decode::read_int(&mut self.rest).map_err(|it| match it {
                    NumValueReadError::TypeMismatch(marker) => WireError::new(noun(marker), wanted),
                    _ => ended(),
                })?;
                return Ok(value.into());
            }
        };
        number.map_err(|it| WireError::no_number(&it))
    }

    pub(super) fn text(&mut self, wanted: &str) -> Result<&'a str, WireError> {
        let length = decode::read_str_len(&mut self.rest).map_err(|it| unfit(&it, wanted))?;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| WireError::new("a string that is not UTF-8", wanted))
    }

    pub(super) fn array_len(&mut self, wanted: &str) -> Result<u32, WireError> {
        decode::read_array_len(&mut self.rest).map_err(|it| unfit(&it, wanted))
    }

    pub(super) fn map_len(&mut self, wanted: &str) -> Result<u32, WireError> {
        decode::read_map_len(&mut self.rest).map_err(|it| unfit(&it, wanted))
    }

    fn peek(&self) -> Result<Marker, WireError> {
        self.rest.first().copied().map(Marker::from_u8).ok_or_else(ended)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(length).map_err(|_| ended())?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(ended)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn insert(items: &mut BTreeMap<String, Datum>, key: String, item: Datum) -> Result<(), WireError> {
    match items.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(item);
            Ok(())
        }
        Entry::Occupied(entry) => {
            Err(WireError::new(format!("the key {:?} twice", entry.key()), "each key once"))
        }
    }
}

fn is_extension(marker: Marker) -> bool {
    matches!(
        marker,
        Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32
    )
}

fn ended() -> WireError {
    WireError::new("the end of the bytes", "a value")
}

fn unfit(err: &ValueReadError, wanted: &str) -> WireError {
    match err {
        ValueReadError::TypeMismatch(marker) => WireError::new(noun(*marker), wanted),
        ValueReadError::InvalidMarkerRead(_) | ValueReadError::InvalidDataRead(_) => ended(),
    }
}

/// What is behind a marker, in the words of [`wanted`].
fn noun(marker: Marker) -> &'static str {
    match marker {
        Marker::Null => "null",
        Marker::True | Marker::False => "a bool",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "a string",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bytes",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "a list",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        Marker::Reserved => "a byte without meaning",
        it if is_extension(it) => "an unknown value",
        _ => "a number",
    }
}
