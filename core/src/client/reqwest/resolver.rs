//! How the names of video hosts are resolved.

use std::io;
use std::net::SocketAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::client::transport::PrivateHost;
use crate::wire::is_private_address;

/// Returns the addresses of a name.
pub(super) type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

/// The system's addresses of a name.
pub(super) fn lookup(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
}

/// Resolves names to public addresses only: anyone may point a name to an address in the caller's own
/// network, and the URL of a video comes from outside.
pub(super) struct PublicOnly {
    pub(super) lookup: Lookup,
    /// The host of the service.
    pub(super) service: Option<String>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, service) = (self.lookup, self.service.clone());
        async move {
            let is_private = |address: &SocketAddr| is_private_address(address.ip());
            let mut addresses = lookup(name.as_str().to_owned()).await?;
            if addresses.iter().any(is_private) {
                // A gateway may have a private address and a name that does not show it. Then its videos
                // may be beside it, as with a name that does.
                let service = match service {
                    Some(service) => lookup(service).await.unwrap_or_default(),
                    None => Vec::new(),
                };
                if !service.iter().any(is_private) {
                    addresses.retain(|address| !is_private(address));
                    if addresses.is_empty() {
                        return Err(PrivateHost.into());
                    }
                }
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let addresses: &[&str] = match name.as_str() {
            "public.example" => &["8.8.8.8:0", "[2606:4700::1111]:0"],
            "mixed.example" => &["10.0.0.1:0", "8.8.8.8:0", "[::1]:0"],
            "private.example" => &["10.0.0.1:0", "[fd00::1]:0"],
            _ => &[],
        };
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let found = if name == "missing.example" {
            Err(io::Error::other("no such name"))
        } else {
            Ok(addresses)
        };
        std::future::ready(found).boxed()
    }

    async fn resolve(service: &str, name: &str) -> Result<Vec<String>, bool> {
        let resolver = PublicOnly { lookup: fake, service: Some(service.to_owned()) };
        let resolved = resolver.resolve(name.parse().unwrap()).await;
        let addresses = resolved.map_err(|error| error.is::<PrivateHost>())?;
        Ok(addresses.map(|address| address.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn a_name_is_resolved_to_its_public_addresses() {
        let service = "public.example";
        let public = ["8.8.8.8".to_owned(), "2606:4700::1111".to_owned()];
        assert_eq!(resolve(service, "public.example").await.unwrap(), public);
        assert_eq!(resolve(service, "mixed.example").await.unwrap(), public[..1]);
        assert_eq!(resolve(service, "private.example").await, Err(true));
        assert_eq!(resolve(service, "missing.example").await, Err(false));
        assert_eq!(resolve("missing.example", "private.example").await, Err(true));
    }

    #[tokio::test]
    async fn a_service_on_a_private_address_has_its_videos_there() {
        let addresses = resolve("private.example", "mixed.example").await.unwrap();
        assert_eq!(addresses, ["10.0.0.1", "8.8.8.8", "::1"]);
    }
}
