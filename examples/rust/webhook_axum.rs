//! A server that makes videos and learns from webhooks when they are ready.
//!
//! With the emulator in place of the service it takes three terminals. The first runs the emulator:
//!
//! ```sh
//! cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
//!     --webhook-url http://127.0.0.1:8000/webhooks
//! ```
//!
//! The second runs this server. The webhook secret is the emulator's default one. Set it only
//! here: with a secret the waits of a program poll only once a minute.
//!
//! ```sh
//! export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
//! export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
//! cargo run --example webhook_axum -- --port 8000
//! ```
//!
//! The third asks for a video; the response takes some seconds:
//!
//! ```sh
//! curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"
//! ```
//!
//! With the real service the server needs your key and the webhook secret of your dashboard.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clap::Parser;
use pipevideo::{Client, GenerationRequest, WebhookEvent};
use tokio::net::TcpListener;

/// Makes a video from each prompt that is posted.
#[derive(Parser)]
struct Arguments {
    /// The port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    // Both routes need the same client: a delivery to one wakes the waits of the other.
    let app = Router::new()
        .route("/webhooks", post(webhook))
        .route("/videos", post(video))
        .with_state(Client::from_env()?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Handles a delivery. It takes `Bytes`, since the signature covers the raw body: JSON that was parsed
/// and written again does not verify.
async fn webhook(State(client): State<Client>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let event = match client.webhooks().unwrap(&body, &headers) {
        Ok(event) => event,
        Err(error) => {
            eprintln!("rejected: {error}");
            return StatusCode::BAD_REQUEST;
        }
    };
    // The waits are awake. The service expects a response within 15 s, so longer work belongs
    // elsewhere.
    if !event.duplicate
        && let Err(error) = handle(&event)
    {
        eprintln!("failed: {error}");
        // Not acknowledged: the service sends the event again, and that delivery is no duplicate.
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    event.acknowledge();
    StatusCode::NO_CONTENT
}

/// The work for an event. This one records the generation.
fn handle(event: &WebhookEvent) -> std::io::Result<()> {
    let id = event.generation_id.as_deref().unwrap_or_default();
    let status = event.status.as_ref().map_or("", |status| status.as_str());
    let mut file = File::options().create(true).append(true).open("finished.txt")?;
    writeln!(file, "{id} {status}")?;
    println!("received the event of {id}");
    Ok(())
}

/// Responds with the URL of the video once it is ready. With webhooks, the wait takes about two
/// requests.
async fn video(State(client): State<Client>, prompt: String) -> (StatusCode, String) {
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt);
    match client.generate(request).await {
        Ok(generation) => (StatusCode::OK, generation.output_video_url.unwrap_or_default()),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}
