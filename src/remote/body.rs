//! Answers of servers, read whole.

use std::pin::Pin;

use hyper::body::Incoming;
use tonic::codegen::Body as _;

/// All of it. None: it broke off, or is longer than that.
pub(super) async fn whole(mut body: Incoming, most: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let frame = std::future::poll_fn(|it| Pin::new(&mut body).poll_frame(it)).await;
        let Some(frame) = frame else { return Some(text) };
        text.extend_from_slice(frame.ok()?.data_ref().map_or(&[][..], |it| it));
        if most < text.len() {
            return None;
        }
    }
}
