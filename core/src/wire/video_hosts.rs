//! Which hosts a video may be fetched from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The hosts that a request may be sent to, or redirected to.
///
/// The URL of a video comes from the service's response. Without a restriction, that response could
/// have any URL of the caller's own network requested, or a video that everyone on the way can
/// replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VideoHosts {
    https_only: bool,
    public_only: bool,
}

impl VideoHosts {
    /// What a service at this URL may refer to: plain http only if it is on plain http itself, and
    /// private hosts only if it is on one itself.
    pub(crate) fn of(service: &Url) -> Self {
        Self { https_only: service.scheme() == "https", public_only: !is_private(service) }
    }

    /// Any host.
    pub(crate) const ANY: Self = Self { https_only: false, public_only: false };

    /// Says of a host why it is refused.
    pub(crate) const PRIVATE: &str = "on a private network, although the service is not";

    /// Whether the addresses of a host have to be public too.
    pub(crate) fn public_only(self) -> bool {
        self.public_only
    }

    /// Why a URL is refused, if it is. Names are not resolved.
    pub(crate) fn refuse(self, url: &Url) -> Option<&'static str> {
        if self.https_only && url.scheme() != "https" {
            Some("on plain http, although the service is on https")
        } else if self.public_only && is_private(url) {
            Some(Self::PRIVATE)
        } else {
            None
        }
    }
}

/// Whether a host is on a private network by its address or name. Names are not resolved.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private_address(ip.into()),
        Some(Host::Ipv6(ip)) => is_private_address(ip.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            // A name without a dot has no meaning outside a network. The rest is reserved by RFC
            // 6761 and 6762, and by ICANN; the metadata of cloud machines is under `.internal`.
            !name.contains('.')
                || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}

/// Whether an address is not one of the public network.
pub(crate) fn is_private_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => is_private_v6(ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64; // RFC 6598
    ip.octets()[0] == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || is_shared
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let [high, second, .., a, b] = ip.segments();
    let is_nat64 = (high, second) == (0x64, 0xff9b); // RFC 6052
    let embedded = Ipv4Addr::from(u32::from(a) << 16 | u32::from(b));
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        || ip.is_multicast()
        || ip.to_ipv4_mapped().is_some_and(is_private_v4)
        || (is_nat64 && is_private_v4(embedded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(service: &str, video: &str) -> bool {
        let hosts = VideoHosts::of(&Url::parse(service).unwrap());
        hosts.refuse(&Url::parse(video).unwrap()).is_some()
    }

    #[test]
    fn a_public_service_refers_to_public_https_hosts_only() {
        for video in [
            "https://videos.pipevideo.co/a.mp4",
            "https://8.8.8.8/a.mp4",
            "https://100.63.255.255/a.mp4",
            "https://100.128.0.1/a.mp4",
            "https://[2606:4700::1111]/a.mp4",
            "https://[64:ff9b::808:808]/a.mp4",
        ] {
            assert!(!refused("https://api.pipevideo.co", video), "{video}");
        }
        for video in [
            "http://videos.pipevideo.co/a.mp4",
            "https://127.0.0.1/a",
            "https://127.1/a",
            "https://2130706433/a",
            "https://0.0.0.0/a",
            "https://10.0.0.1/a",
            "https://172.16.0.1/a",
            "https://192.168.1.1/a",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/a",
            "https://100.127.255.255/a",
            "https://0.1.2.3/a",
            "https://224.0.0.1/a",
            "https://255.255.255.255/a",
            "https://[ff02::1]/a",
            "https://[::1]/a",
            "https://[::]/a",
            "https://[fd00::1]/a",
            "https://[fe80::1]/a",
            "https://[::ffff:10.0.0.1]/a",
            "https://[64:ff9b::a00:1]/a",
            "https://localhost/a",
            "https://LOCALHOST./a",
            "https://a.localhost/a",
            "https://metadata.google.internal/a",
            "https://printer.local/a",
            "https://router/a",
        ] {
            assert!(refused("https://api.pipevideo.co", video), "{video}");
        }
    }

    #[test]
    fn a_service_on_a_private_network_refers_to_hosts_there() {
        for (service, video) in [
            ("http://127.0.0.1:4010", "http://127.0.0.1:4011/a.mp4"),
            ("http://localhost:4010", "http://127.0.0.1:4011/a.mp4"),
            ("https://gateway.internal", "https://10.1.2.3/a.mp4"),
            ("http://127.0.0.1:4010", "https://videos.pipevideo.co/a.mp4"),
        ] {
            assert!(!refused(service, video), "{service} {video}");
        }
        assert!(refused("https://gateway.internal", "http://10.1.2.3/a.mp4"));
        assert_eq!(VideoHosts::ANY.refuse(&Url::parse("http://10.1.2.3").unwrap()), None);
    }
}
