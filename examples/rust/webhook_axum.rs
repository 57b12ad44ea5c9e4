//! A server that makes videos, and is told by webhooks when they are ready.
//!
//! ```sh
//! cargo run --example webhook_axum -- --port 8000
//! curl http://127.0.0.1:8000/videos -d "A cat walking on a beach at sunset"
//! ```
//!
//! It needs `PIPEVIDEO_API_KEY` and `PIPEVIDEO_WEBHOOK_SECRET`. Without those of the real service,
//! start the emulator's program in another terminal, and set `PIPEVIDEO_BASE_URL` and
//! `PIPEVIDEO_API_KEY` to what it prints:
//!
//! ```sh
//! export PIPEVIDEO_WEBHOOK_SECRET=whsec_$(openssl rand -base64 24)
//! cargo run -p pipevideo-emulator -- --speed 12 \
//!     --webhook-url http://127.0.0.1:8000/webhooks --webhook-secret $PIPEVIDEO_WEBHOOK_SECRET
//! ```

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
