//! A client's options, from JavaScript's to the core's.

use std::path::PathBuf;
use std::sync::Arc;

use bindings_common::{ClientOptions, Host, Naming, TimeUnit};
use pipevideo::{Client, Decimal};
use serde_json::{Error, Map, Value as Json};

use crate::bridge::Channel;
use crate::errors::{self, Failure};
use crate::token;

const HOST: Host = Host {
    user_agent: concat!("pipevideo-node/", env!("CARGO_PKG_VERSION")),
    naming: Naming::CamelCase,
    time_unit: TimeUnit::Milliseconds,
};

/// Makes a client with the options that `lib/options.js` writes as JSON, or returns the error as JSON.
pub(crate) fn client(options: &str, token: Option<(Arc<Channel>, u32)>) -> Result<Client, String> {
    let (options, extra_ca_file) =
        read(options).map_err(|error| errors::configuration(&error.to_string()))?;
    let client = build(options.clone(), extra_ca_file.clone(), token.clone());
    if client.is_ok() || extra_ca_file.is_none() {
        return client;
    }
    // Node warns of an extra file that is missing or broken, and continues without it.
    build(options, None, token)
}

/// Reads the options, and apart from them the path in `NODE_EXTRA_CA_CERTS`.
fn read(options: &str) -> Result<(ClientOptions, Option<PathBuf>), Error> {
    let mut options: Map<String, Json> = serde_json::from_str(options)?;
    let extra_ca_file = options.remove("extraCaFile").map(serde_json::from_value).transpose()?;
    Ok((serde_json::from_value(options.into())?, extra_ca_file))
}

fn build(
    options: ClientOptions,
    extra_ca_file: Option<PathBuf>,
    token: Option<(Arc<Channel>, u32)>,
) -> Result<Client, String> {
    let mut builder = options.builder(&HOST).map_err(|message| errors::configuration(&message))?;
    if let Some((channel, client)) = token {
        builder = builder.token(move || token::request(channel.clone(), client));
    }
    if let Some(path) = extra_ca_file {
        builder = builder.ca_file(path);
    }
    builder.build().map_err(|error| errors::to_json(&error))
}

/// An amount of US dollars that a call takes, from its text.
pub(crate) fn amount(name: &str, given: Option<String>) -> Result<Option<Decimal>, Failure> {
    let amount = given.map(|given| HOST.amount(name, &given)).transpose();
    amount.map_err(|message| errors::invalid(&message))
}
