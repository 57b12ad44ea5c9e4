//! The time to verify a delivery and read its event, compared with svix, which only verifies it.
//!
//! `cargo run --release --manifest-path core/benches/svix/Cargo.toml`

use std::hint::black_box;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"eventType":"video.generation.completed","generationId":"gen_abc123xyz","status":"completed","outputUrl":"https://cdn.example/video.mp4?signature=abcdefghijklmnopqrstuvwxyz","errorMessage":null}"#;
const TIMES: u32 = 20_000;
const ROUNDS: usize = 21;

fn main() {
    let ours = pipevideo::Webhook::new([SECRET]).expect("a secret");
    let theirs = svix::webhooks::Webhook::new(SECRET).expect("a secret");
    let signed = ours.sign(BODY, "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", SystemTime::now());
    let mut headers = HeaderMap::new();
    for (name, value) in signed {
        let value = HeaderValue::try_from(value).expect("a header");
        headers.insert(HeaderName::from_static(name), value);
    }
    for name in ["host", "user-agent", "content-type", "content-length", "accept", "x-request-id"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("something"));
    }
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(timed(|| theirs.verify(BODY.as_bytes(), &headers).expect("it is genuine")));
        times[1].push(timed(|| {
            drop(ours.unwrap_at(BODY, &headers, SystemTime::now()).expect("it is genuine"));
        }));
    }
    let [theirs, ours] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    println!("a delivery of {} bytes, median of {ROUNDS} rounds:", BODY.len());
    println!("  svix, verify           {theirs:.2} µs");
    println!("  pipevideo, unwrap      {ours:.2} µs   {:.2} of svix", ours / theirs);
}

/// The time that each takes, in µs.
fn timed(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..TIMES {
        black_box(&mut work)();
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}
