//! Makes a video from a prompt: `cargo run --example hello`.

mod service;

use pipevideo::GenerationRequest;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Your program: let client = pipevideo::Client::from_env()?;
    let service::Service { client, emulator: _running } = service::Service::connect().await?;
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    let generation = client.generate(request).await?;
    println!("{}", client.responses().download(&generation, "cat.mp4").await?.display());
    Ok(())
}
