//! An emulator and a plain HTTP client for the tests.

#![allow(dead_code, reason = "each test program uses a part of it")]

use pipevideo_emulator::{Emulator, NewGeneration, Options, Settlement};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) http: Client,
}

pub(crate) async fn bench(options: Value) -> Bench {
    let options: Options = serde_json::from_value(options).unwrap();
    let emulator = Emulator::start(options).await.unwrap();
    // Fails if another test of this process has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let policy = reqwest::redirect::Policy::none();
    // A new connection for each request, so that no request uses one that a fault has closed.
    let http = Client::builder().pool_max_idle_per_host(0).redirect(policy).no_proxy();
    Bench { emulator, http: http.build().unwrap() }
}

impl Bench {
    /// A request to the API with the key.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.emulator.base_url());
        self.http.request(method, url).bearer_auth(self.emulator.api_key())
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.call(Method::POST, path).json(&body).send().await.unwrap()
    }

    pub(crate) async fn create(&self) -> Response {
        self.post("/v1/responses", cat()).await
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// The signed URL of a new completed generation.
    pub(crate) async fn video_url(&self) -> String {
        let id = self.emulator.add_generation(NewGeneration::default()).unwrap();
        self.emulator.settle(&id, Settlement::completed()).unwrap();
        let generation = self.get_json(&format!("/v1/responses/{id}")).await;
        generation["output_video_url"].as_str().unwrap().to_owned()
    }

    /// The received requests, as `METHOD path`.
    pub(crate) fn arrived(&self) -> Vec<String> {
        let requests = self.emulator.requests();
        requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

pub(crate) fn cat() -> Value {
    json!({ "model": "moonshotai/kimi-k2.5", "input": "A cat" })
}
