//! Between the values of the domain and those of messages.

use crate::domain::dns::{Data, Name, Observed, Records, Type};
use crate::remote::dns::{self, Answer, Question, RData, RecordType, rdata};

/// The longest piece of a text, in bytes (RFC 1035, section 3.3).
const PIECE: usize = 255;

/// What is asked for a record set.
pub fn question(name: &Name, ty: Type) -> Question {
    Question { name: in_message(name), ty: type_in_message(ty) }
}

/// The records of an answer, but for those of other types.
pub fn data(answer: &Answer) -> impl Iterator<Item = Data> {
    answer.data.iter().filter_map(|it| {
        Some(match it {
            RData::A(it) => Data::A(it.0),
            RData::AAAA(it) => Data::Aaaa(it.0),
            RData::CNAME(it) => Data::Cname(received(&it.0)),
            RData::TXT(it) => Data::Txt(it.txt_data.concat()),
            _ => return None,
        })
    })
}

pub(super) fn observed(answer: &Answer) -> Observed {
    if let Some(alias) = &answer.alias {
        return Observed::Alias(received(alias));
    }
    match answer.ttl {
        None => Observed::Absent,
        Some(ttl) => Observed::Present(Records { ttl, data: data(answer).collect() }),
    }
}

/// The labels of a name have been checked, but for those that a server sent: these are never sent back.
pub(super) fn in_message(name: &Name) -> dns::Name {
    dns::Name::from_labels(name.labels().map(str::as_bytes)).unwrap_or_default()
}

/// What is no text is shown as far as it is one.
pub(super) fn received(name: &dns::Name) -> Name {
    let labels: Vec<_> = name.iter().map(String::from_utf8_lossy).collect();
    Name::received(&labels.join("."))
}

pub(super) fn type_in_message(ty: Type) -> RecordType {
    match ty {
        Type::A => RecordType::A,
        Type::Aaaa => RecordType::AAAA,
        Type::Cname => RecordType::CNAME,
        Type::Txt => RecordType::TXT,
    }
}

pub(super) fn data_in_message(data: &Data) -> RData {
    match data {
        Data::A(address) => RData::A(rdata::A(*address)),
        Data::Aaaa(address) => RData::AAAA(rdata::AAAA(*address)),
        Data::Cname(name) => RData::CNAME(rdata::CNAME(in_message(name))),
        // A record has one piece at least.
        Data::Txt(text) if text.is_empty() => RData::TXT(rdata::TXT::from_bytes(vec![b""])),
        Data::Txt(text) => RData::TXT(rdata::TXT::from_bytes(text.chunks(PIECE).collect())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(data: &Data) -> Data {
        let (is_authoritative, alias, ttl) = (true, None, Some(30));
        let answer = Answer { is_authoritative, alias, ttl, data: vec![data_in_message(data)] };
        super::data(&answer).next().unwrap()
    }

    proptest! {
        #[test]
        fn a_text_of_any_length_comes_back(text in prop::collection::vec(any::<u8>(), 0..1000)) {
            let data = Data::Txt(text);
            prop_assert_eq!(there_and_back(&data), data);
        }

        #[test]
        fn a_name_comes_back(text in "(\\*\\.)?[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,9}){0,5}") {
            let name: Name = text.parse().unwrap();
            prop_assert_eq!(received(&in_message(&name)), name.clone());
            let data = Data::Cname(name);
            prop_assert_eq!(there_and_back(&data), data);
        }
    }

    #[test]
    fn an_address_comes_back() {
        for (ty, text) in [(Type::A, "10.0.0.1"), (Type::Aaaa, "2001:db8::1")] {
            let data = Data::parse(ty, text).unwrap();
            assert_eq!(there_and_back(&data), data);
        }
    }
}
