//! A server that makes videos, and is told by webhooks when they are ready.
//!
//! With the emulator in place of the service it takes three terminals. The first has the emulator:
//!
//! ```sh
//! cargo run -p pipevideo-emulator -- --port 4010 --speed 12 \
//!     --webhook-url http://127.0.0.1:8000/webhooks
//! ```
//!
//! The second has this server. The webhook secret is the emulator's default one. Set it only
//! here: with a secret the waits of a program poll only once a minute.
//!
//! ```sh
//! export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
//! export PIPEVIDEO_WEBHOOK_SECRET=whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==
//! cargo run --example webhook_axum -- --port 8000
//! ```
//!
//! The third asks for a video; the answer takes some seconds:
//!
//! ```sh
//! curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"
//! ```
//!
//! With the real service the server needs your key and the webhook secret of your dashboard.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clap::Parser;
use pipevideo::{Client, GenerationRequest};
use tokio::net::TcpListener;

/// Makes a video of each prompt that is posted.
#[derive(Parser)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    // One client for both routes: what the one is told wakes the waits of the other.
    let app = Router::new()
        .route("/webhooks", post(webhook))
        .route("/videos", post(video))
        .with_state(Client::from_env()?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Takes `Bytes`: the signature is over the body as it came, and JSON that was parsed is not that.
async fn webhook(State(client): State<Client>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match client.webhooks().unwrap(&body, &headers) {
        // The waits are awake, and the service wants its answer. What takes long is not done here,
        // and nothing is done twice for a delivery that comes again.
        Ok(event) => {
            if !event.duplicate {
                println!("told of {}", event.generation_id.unwrap_or_default());
            }
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            eprintln!("refused: {error}");
            StatusCode::BAD_REQUEST
        }
    }
}

/// Answers with the video's URL when there is one: a wait that costs two requests in all.
async fn video(State(client): State<Client>, prompt: String) -> (StatusCode, String) {
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt);
    match client.generate(request).await {
        Ok(generation) => (StatusCode::OK, generation.output_video_url.unwrap_or_default()),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}
