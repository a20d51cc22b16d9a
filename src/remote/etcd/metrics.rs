//! What a member counts, in the text format of Prometheus.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::plain::get;

const LIMIT: Duration = Duration::from_secs(10);
/// A member tells some 200 KB.
const MOST: usize = 8 << 20;
/// Snapshots of the state of Raft that were written to the disk (server/etcdserver/api/snap/metrics.go).
const SAVED: &str = "etcd_debugging_snap_save_total_duration_seconds_count";

/// How often the member has written down its state since it was started. None: it does not tell within 10 s.
pub async fn snapshots_saved(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Option<u64> {
    let answer = timeout(LIMIT, get(stream, "/metrics", MOST)).await.ok().flatten()?;
    count(&String::from_utf8(answer).ok()?, SAVED)
}

/// The value of a counter without labels.
fn count(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "# TYPE x histogram\nx_bucket{le=\"1\"} 7\nx_sum 0.5\nx_counted 9\nx_count 3\n";
        assert_eq!(count(text, "x_count"), Some(3));
        assert_eq!(count(text, "y_count"), None);
        assert_eq!(count("x_count three", "x_count"), None);
    }
}
