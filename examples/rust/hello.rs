//! A prompt becomes a video: `cargo run --example hello`, with a key in `PIPEVIDEO_API_KEY`.

use pipevideo::{Client, GenerationRequest};

#[tokio::main]
async fn main() -> pipevideo::Result<()> {
    let client = Client::from_env()?;
    let prompt = "A cat walking on a beach at sunset";
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt);
    let generation = client.generate(request).await?;
    let path = client.responses().download(&generation, "cat.mp4").await?;
    println!("{}", path.display());
    Ok(())
}
