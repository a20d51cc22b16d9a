//! How long to pause before looking again. Pure: chance comes in as a seed.

use std::time::Duration;

/// Pauses that double up to a limit, each shortened by up to a half, so that many runs do not look at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause, before it is shortened.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// Runs with another seed pause for other times.
    pub seed: u64,
}

impl Backoff {
    /// Short beside what a service takes to start (1 to 5 s), and at most 5 s late.
    pub fn seeded(seed: u64) -> Self {
        Self { first: Duration::from_millis(200), most: Duration::from_secs(5), seed }
    }

    /// The pause after as many attempts: between a half and the whole of its length.
    pub fn pause(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts);
        let whole = self.first.saturating_mul(doubled).min(self.most);
        let [high, low, ..] = scatter(self.seed.wrapping_add(u64::from(attempts))).to_be_bytes();
        whole.mul_f64(1.0 - f64::from(u16::from_be_bytes([high, low])) / f64::from(1_u32 << 17))
    }
}

/// The mixing step of splitmix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
fn scatter(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let backoff = Backoff::seeded(7);
        let check = |attempts, whole: u64| {
            let (whole, pause) = (Duration::from_millis(whole), backoff.pause(attempts));
            assert!(whole / 2 < pause && pause <= whole, "{attempts}: {pause:?} of {whole:?}");
        };
        check(0, 200);
        check(1, 400);
        check(4, 3_200);
        check(5, 5_000);
        check(u32::MAX, 5_000);
    }

    #[test]
    fn seeds_part_runs_that_began_together() {
        let pauses: std::collections::BTreeSet<_> =
            (0..100).map(|seed| Backoff::seeded(seed).pause(3)).collect();
        assert!(80 < pauses.len(), "only {} different pauses", pauses.len());
    }

    proptest! {
        #[test]
        fn no_pause_is_empty_or_beyond_the_limit(seed: u64, attempts: u32) {
            let backoff = Backoff::seeded(seed);
            let pause = backoff.pause(attempts);
            prop_assert!(backoff.first / 2 <= pause && pause <= backoff.most);
            prop_assert_eq!(pause, backoff.pause(attempts));
        }
    }
}
