//! A key that is a JavaScript function: the runtime asks for a token, and the event loop replies.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use bindings_common::{ForeignError, lock};
use bindings_macros::barrier;
use napi_derive::napi;
use pipevideo::TokenError;
use tokio::sync::oneshot;

use crate::bridge::{Channel, Event};
use crate::errors::RejectionId;

type Reply = oneshot::Sender<Result<String, ForeignError<RejectionId>>>;

/// The requests for a token that have no reply yet, of all environments.
static PENDING: LazyLock<Mutex<HashMap<u32, Reply>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Removes a request when its call is over.
struct RequestGuard(u32);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        lock(&PENDING).remove(&self.0);
    }
}

/// Asks the function of this client for a token.
pub(crate) async fn request(channel: Arc<Channel>, client: u32) -> Result<String, TokenError> {
    let request = RequestGuard(NEXT.fetch_add(1, Ordering::Relaxed));
    let (reply, token) = oneshot::channel();
    lock(&PENDING).insert(request.0, reply);
    channel.push(client, Event::TokenNeeded(request.0));
    Ok(token.await??)
}

/// Replies to a request with a token. Without one the function has failed, and JavaScript keeps the
/// reason under the request's number.
#[barrier]
#[napi]
pub(crate) fn provide_token(request: u32, token: Option<String>) {
    let reply = lock(&PENDING).remove(&request);
    if let Some(reply) = reply {
        // The receiver is gone if the call was cancelled.
        let _ = reply
            .send(token.ok_or_else(|| ForeignError::new(request, "the function was rejected")));
    }
}
