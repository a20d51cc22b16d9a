//! A provider that serves nothing and declares everything: each rule that documentation tells.

use std::collections::BTreeMap;
use std::time::Duration;

use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::api::{
    Answer, Applied, Client, Context, Created, DataSource, Deleted, Ephemeral, Object, Opened,
    Provider, Read, Registry, Resource, Wanted,
};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::model::{Nothing, Timeouts, Unordered};
use terraform_provider_ha::tfplugin::value::{Datum, Secret, Value};

pub(crate) fn registry() -> Registry<Sample> {
    Registry::new(Sample).resource(Shelf).resource(Bare).data_source(Book).ephemeral(Card)
}

/// The files that would lie under `examples/`.
pub(crate) fn example(path: &str) -> Option<String> {
    let text = match path {
        "examples/provider/provider.tf" => "provider \"sample\" {\n  user = \"ops\"\n}\n",
        "examples/resources/sample_shelf/resource.tf" => {
            "# A shelf with ```marks``` in a comment.\nresource \"sample_shelf\" \"this\" {\n  \
             name = \"tales\"\n}\n"
        }
        "examples/resources/sample_shelf/import-by-identity.tf" => {
            "import {\n  to       = sample_shelf.this\n  identity = { name = \"tales\" }\n}\n"
        }
        "examples/resources/sample_shelf/import-by-string-id.tf" => {
            "import {\n  to = sample_shelf.this\n  id = \"tales@room\"\n}\n"
        }
        "examples/resources/sample_shelf/import.sh" => {
            "terraform import sample_shelf.this tales@room\n"
        }
        "examples/data-sources/sample_book/data-source.tf" => {
            "data \"sample_book\" \"one\" {\n  title = \"A tale\"\n}\n"
        }
        "examples/ephemeral-resources/sample_card/ephemeral-resource.tf" => {
            "ephemeral \"sample_card\" \"mine\" {}\n"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

model! {
    /// Shelves and books. See [the library](https://library.example/).
    ///
    /// It is a sample: `sample` stands for any provider.
    pub(crate) struct Settings {
        /// Who asks.
        user: Value<String> = optional().check(not_empty()),
        /// How the user is known.
        password: Value<Secret<String>> = optional().sensitive(),
    }
}

model! {
    /// A shelf of books under `/srv/<name>`, where `<name>` is text, not HTML.
    ///
    /// It is **never** moved:
    ///
    /// - its books may be,
    /// - its <room> may not.
    pub(crate) struct ShelfModel {
        /// Id of the shelf.
        id: Value<String> = computed(),
        /// Name of the shelf, part of <name>.
        name: Value<String> = required().refuses_change().check(length(1, 40)),
        /// Room that it stands in.
        room: Value<String> = required()
            .refuses_change()
            .way_out("Build a new shelf there, then move the books with `mv`")
            .check(text("letters and `-`, as ^[a-z]*_$ or a|b", |_| true)),
        /// Width in centimetres.
        width: Value<i64> = optional().default(80).replaces().check(between(40, 240)).check(at_least(1)),
        /// Wood.
        ///
        /// Any wood will do:
        ///
        /// - oak,
        /// - pine.
        wood: Value<String> = optional()
            .default("oak")
            .restarts("carpenter")
            .check(one_of(&["oak", "pine"])),
        /// How often it is dusted.
        dusting: Value<Duration> = optional().default("24h").changes_online(),
        /// Whether it may be removed.
        protected: Value<bool> = optional().default(true).records_change(),
        /// Label on its side.
        label: Value<String> = optional().default("a \"${b}\" `c`").same_when(|_, _| true),
        /// Number in the catalogue.
        number: Value<u16> = optional().or_computed().changes_with(&["name", "room"]),
        /// Whoever may open it.
        key: Value<Secret<String>> = optional().write_only().sensitive(),
        /// Grows whenever `key` changes.
        key_version: Value<i64> = optional().changes("the lock is changed, with the *old* key"),
        /// Old name of `room`.
        place: Value<String> = optional().deprecated("Use `room` instead").records_change(),
        /// Names by language.
        names: Value<BTreeMap<String, String>> = optional().default(Datum::Map(BTreeMap::new())),
        /// Words on its back.
        words: Value<Vec<String>> = optional().default(Datum::List(Vec::new())),
        /// Anything at all.
        anything: Value<Datum> = optional(),
        /// Its lamp.
        lamp: Value<Lamp> = optional().default(Datum::Map(BTreeMap::new())).changes_online(),
        /// Boards, from below.
        boards: Value<Vec<Board>> = optional().restarts("carpenter"),
        /// Feet.
        feet: Value<Unordered<Foot>> = optional().replaces(),
        /// Books by a stable key.
        books: Value<BTreeMap<String, BookModel>> = required(),
        /// Rows of plain objects, which have types but no rules.
        rows: Value<Vec<Vec<Foot>>> = optional(),
        /// What is not as planned.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// When it was last seen.
        seen: Value<String> = computed().changes_always(),
        /// What others need of it.
        access: Value<Access> = computed().changes_with(&["name"]).sensitive(),
        /// Limits.
        timeouts: Value<Timeouts> = timeouts(1200, 3600, 30, 600),
    }
}

model! {
    /// A lamp.
    pub(crate) struct Lamp {
        /// Watts.
        watts: Value<i64> = optional().default(5),
        /// Bulb in it.
        bulb: Value<Bulb> = optional().records_change(),
    }
}

model! {
    /// A bulb.
    pub(crate) struct Bulb {
        /// Socket of the bulb.
        socket: Value<String> = required().refuses_change(),
    }
}

model! {
    /// A board.
    pub(crate) struct Board {
        /// Height above the floor.
        height: Value<i64> = required().changes_online(),
    }
}

model! {
    /// A foot.
    pub(crate) struct Foot {
        /// Where it stands. Its own rule is not told, for an element of a set has no address.
        corner: Value<String> = required().records_change(),
    }
}

model! {
    /// A book.
    pub(crate) struct BookModel {
        /// Title of the book.
        title: Value<String> = required(),
        /// Its pages.
        pages: Value<i64> = computed(),
    }
}

model! {
    /// What others need.
    pub(crate) struct Access {
        /// Id of the shelf.
        id: Value<String> = required(),
        /// Lamp on it.
        lamp: Value<Lamp> = optional(),
    }
}

model! {
    /// Where a shelf is found.
    pub(crate) struct ShelfIdentity {
        /// Name of the shelf.
        name: Value<String> = required(),
        /// Room, when there are more shelves of that name.
        room: Value<String> = optional(),
    }
}

model! {
    /// A resource without any attribute
    pub(crate) struct BareModel {}
}

model! {
    /// A book of the catalogue. It may be lent.
    pub(crate) struct Catalogued {
        /// Title of the book.
        title: Value<String> = required().check(not_empty()),
        /// Whether it is there.
        present: Value<bool> = computed(),
    }
}

model! {
    /// A card that opens the library for a while.
    pub(crate) struct CardModel {
        /// How long it opens.
        ttl: Value<Duration> = optional().default("1h"),
        /// The number on the card.
        number: Value<Secret<String>> = computed().sensitive(),
    }
}

model! {
    /// Two mistakes.
    pub(crate) struct FlawedModel {
        /// Reserved.
        count: Value<i64> = optional(),
    }
}

model! {
    /// No primitive.
    pub(crate) struct FlawedIdentity {
        /// A map.
        tags: Value<BTreeMap<String, String>> = optional(),
    }
}

fn never() -> Diagnostics {
    Diagnostic::error("This is a sample", "It is only documented.").into()
}

pub(crate) struct Sample;

impl Provider for Sample {
    type Config = Settings;
    type Client = ();

    async fn configure(&self, _: Settings, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }
}

/// A resource of which only the schema matters.
macro_rules! documented {
    ($resource:ident, $name:literal, $model:ty, $identity:ty) => {
        pub(crate) struct $resource;

        impl Resource for $resource {
            const NAME: &'static str = $name;
            type Provider = Sample;
            type Model = $model;
            type Identity = $identity;
            type Private = ();

            async fn create(
                &self,
                (): &Client<Sample>,
                _: Wanted<Self>,
                _: &Context,
            ) -> Created<Self> {
                Created::Nothing(never())
            }

            async fn read(&self, (): &Client<Sample>, _: Object<Self>, _: &Context) -> Read<Self> {
                Read::Failed(never())
            }

            async fn update(
                &self,
                (): &Client<Sample>,
                prior: Object<Self>,
                _: Wanted<Self>,
                _: &Context,
            ) -> Applied<Self> {
                Applied { state: prior.state, private: (), diags: never() }
            }

            async fn delete(
                &self,
                (): &Client<Sample>,
                _: Object<Self>,
                _: &Context,
            ) -> Deleted<Self> {
                Deleted::Gone(never())
            }
        }
    };
}

documented!(Shelf, "sample_shelf", ShelfModel, ShelfIdentity);
documented!(Bare, "sample_bare", BareModel, Nothing);
documented!(Flawed, "sample_flawed", FlawedModel, FlawedIdentity);

pub(crate) struct Book;

impl DataSource for Book {
    const NAME: &'static str = "sample_book";
    type Provider = Sample;
    type Model = Catalogued;

    async fn read(
        &self,
        (): &Client<Sample>,
        _: Catalogued,
        _: &Context,
    ) -> Result<Answer<Catalogued>, Diagnostics> {
        Err(never())
    }
}

pub(crate) struct Card;

impl Ephemeral for Card {
    const NAME: &'static str = "sample_card";
    type Provider = Sample;
    type Model = CardModel;
    type Lease = ();

    async fn open(
        &self,
        (): &Client<Sample>,
        _: CardModel,
        _: &Context,
    ) -> Result<Opened<Self>, Diagnostics> {
        Err(never())
    }
}
