//! Moments as Terraform reads and writes them.

use time::OffsetDateTime;

/// RFC 3339, in whole seconds of UTC, as certificates have them.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    let at = at.to_utc();
    let (hour, minute, second) = at.as_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", at.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_terraform_reads_it() {
        let at = OffsetDateTime::from_unix_timestamp(1_801_627_506).unwrap();
        assert_eq!(timestamp(at), "2027-02-03T04:05:06Z");
        let east = at.to_offset(time::UtcOffset::from_hms(5, 30, 0).unwrap());
        assert_eq!(timestamp(east), "2027-02-03T04:05:06Z");
    }
}
