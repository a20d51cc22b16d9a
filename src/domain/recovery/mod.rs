//! What brings the keys of a control plane back once no host has them: a bundle, encrypted to people.
//!
//! [`Bundle`] is what lies in it. It is [sealed](seal) on a host, so that no key leaves that unencrypted, and [opened](open)
//! where its owner's identity is. In between it is a file of age (<https://age-encryption.org/v1>), in its armour: any tool
//! that reads age can open it (ADR 0018).

mod bundle;
mod header;
#[cfg(feature = "provider")]
mod open;
mod recipient;
mod seal;

pub use self::bundle::Bundle;
#[cfg(feature = "provider")]
pub use self::open::{Identity, OpenFault, open};
pub use self::recipient::{Recipient, RecipientFault};
pub use self::seal::{SealFault, Share, seal};

/// What no two files share.
pub type FileKey = [u8; 16];

/// Both have the same functions under the same names, and each program has one of them anyway.
#[cfg(feature = "provider")]
use aws_lc_rs as crypto;
#[cfg(not(feature = "provider"))]
use ring as crypto;

#[cfg(test)]
mod tests;
