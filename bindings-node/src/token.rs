//! A key that is a JavaScript function: the runtime asks, and the event loop answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use napi_derive::napi;
use pipevideo::TokenError;
use tokio::sync::oneshot;

use crate::bridge::{Channel, Event};
use crate::runtime::lock;

type Answer = oneshot::Sender<Result<String, Failed>>;

/// The requests that have not been answered yet, of all environments.
static WAITING: LazyLock<Mutex<HashMap<u32, Answer>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A token function was rejected; JavaScript keeps the reason under this number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rejected(pub(crate) u32);

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the function was rejected")
    }
}

impl std::error::Error for Rejected {}

/// A rejection on its way through the core, which passes on an error's source.
#[derive(Debug)]
struct Failed(Rejected);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Forgets a request whose answer nobody waits for any more.
struct Asked(u32);

impl Drop for Asked {
    fn drop(&mut self) {
        lock(&WAITING).remove(&self.0);
    }
}

/// A token of the function of this client.
pub(crate) async fn ask(channel: Arc<Channel>, client: u32) -> Result<String, TokenError> {
    let request = Asked(NEXT.fetch_add(1, Ordering::Relaxed));
    let (answer, answered) = oneshot::channel();
    lock(&WAITING).insert(request.0, answer);
    channel.push(client, Event::Token(request.0));
    Ok(answered.await??)
}

/// Answers a request with a token, or, without one, says that the function was rejected.
#[napi]
pub(crate) fn answer_token(request: u32, token: Option<String>) {
    let answer = lock(&WAITING).remove(&request);
    if let Some(answer) = answer {
        // Nobody waits for it if the call has been cancelled.
        let _ = answer.send(token.ok_or(Failed(Rejected(request))));
    }
}
