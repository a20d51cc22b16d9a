//! Questions, updates and answers. Pure but for the number that each message gets, which is random.

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode, UpdateMessage as _};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// The longest answer by UDP that no network cuts into pieces (DNS flag day 2020).
pub(super) const MOST_BY_UDP: u16 = 1232;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The whole name.
    pub name: Name,
    /// The type of the records.
    pub ty: RecordType,
}

/// Changes of one zone that happen all together, and only if all prerequisites hold (RFC 2136).
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The name of the zone.
    pub zone: Name,
    /// What must hold.
    pub prerequisites: Vec<Prerequisite>,
    /// What is done then, in this order. Without any the prerequisites are asked for.
    pub changes: Vec<Change>,
}

/// What must hold for an update (RFC 2136, section 2.4).
#[derive(Clone, Debug, PartialEq)]
pub enum Prerequisite {
    /// There are no records of this name and type.
    Absent(Name, RecordType),
    /// There are no records of this name at all.
    Unused(Name),
    /// The records of this name are these, all of one type, and no others of it.
    Exactly(Name, Vec<RData>),
}

/// One change (RFC 2136, section 2.5).
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Remove the records of this name and type.
    Remove(Name, RecordType),
    /// Add a record, to be kept for this many seconds.
    Add(Name, u32, RData),
}

/// What a server said about a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Whether it answers for the zone itself.
    pub is_authoritative: bool,
    /// Another name that this one is an alias of, unless the question was about aliases.
    pub alias: Option<Name>,
    /// The shortest time that the records may be kept, in seconds.
    pub ttl: Option<u32>,
    /// The records of the type, at the end of all aliases.
    pub data: Vec<RData>,
}

impl Question {
    /// `is_recursive`: the server may ask others.
    pub(super) fn message(&self, is_recursive: bool) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = is_recursive;
        message.add_query(Query::query(self.name.clone(), self.ty));
        let mut edns = Edns::new();
        edns.set_max_payload(MOST_BY_UDP);
        message.set_edns(edns);
        message
    }
}

impl Update {
    pub(super) fn message(&self) -> Message {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.add_zone(Query::query(self.zone.clone(), RecordType::SOA));
        for prerequisite in &self.prerequisites {
            match prerequisite {
                Prerequisite::Absent(name, ty) => {
                    message.add_pre_requisite(bare(name, *ty, DNSClass::NONE));
                }
                Prerequisite::Unused(name) => {
                    message.add_pre_requisite(bare(name, RecordType::ANY, DNSClass::NONE));
                }
                Prerequisite::Exactly(name, data) => message.add_pre_requisites(
                    data.iter().map(|it| Record::from_rdata(name.clone(), 0, it.clone())),
                ),
            }
        }
        message.add_updates(self.changes.iter().map(|change| match change {
            Change::Remove(name, ty) => bare(name, *ty, DNSClass::ANY),
            Change::Add(name, ttl, data) => Record::from_rdata(name.clone(), *ttl, data.clone()),
        }));
        message
    }
}

/// A record without data, of a class that gives it its meaning.
fn bare(name: &Name, ty: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name.clone(), 0, ty);
    record.dns_class = class;
    record
}

impl Answer {
    pub(super) fn read(message: &Message, question: &Question) -> Self {
        let of = |ty| message.answers.iter().filter(move |it| it.record_type() == ty);
        let alias = of(RecordType::CNAME)
            .filter(|it| question.ty != RecordType::CNAME && it.name == question.name)
            .find_map(|it| match &it.data {
                RData::CNAME(target) => Some(target.0.clone()),
                _ => None,
            });
        Self {
            is_authoritative: message.metadata.authoritative,
            alias,
            ttl: of(question.ty).map(|it| it.ttl).min(),
            data: of(question.ty).map(|it| it.data.clone()).collect(),
        }
    }
}

/// Whether the code is an answer to the message, and not a reason why there is none.
pub(super) fn is_answer(op_code: OpCode, code: ResponseCode) -> bool {
    match code {
        ResponseCode::NoError | ResponseCode::NXDomain => true,
        ResponseCode::YXDomain | ResponseCode::YXRRSet | ResponseCode::NXRRSet => {
            op_code == OpCode::Update
        }
        _ => false,
    }
}
