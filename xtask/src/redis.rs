//! A Redis server for the examples that need one, for as long as their tests run.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::steps::Steps;

/// It is up long before.
const LIMIT: Duration = Duration::from_secs(20);

/// A server on a port of loopback of its own, which keeps nothing. It ends when this is dropped, and
/// also when this program is killed: the shell around it reads from a pipe of ours.
pub(crate) struct Redis {
    shell: Child,
    url: String,
}

impl Redis {
    /// Starts one. If there is none to be had, that is said, and `tests` count as left out.
    pub(crate) fn start(steps: &mut Steps, tests: &str) -> Option<Self> {
        if !installed(steps) {
            steps.skip(tests, "redis-server is missing (on Debian: apt-get install redis-server)");
            return None;
        }
        match Self::serve() {
            Ok(redis) => Some(redis),
            Err(error) => {
                steps.skip(tests, &format!("redis-server does not start: {error}"));
                None
            }
        }
    }

    fn serve() -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server =
            format!("redis-server --bind 127.0.0.1 --port {port} --save '' --loglevel warning");
        let mut shell = Command::new("sh")
            .args(["-c", &format!("{server} & read _; kill $!; wait")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if begun.elapsed() > LIMIT {
                drop(shell.stdin.take());
                return Err(io::Error::other("nobody listens"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { shell, url: format!("redis://127.0.0.1:{port}") })
    }

    /// What tests are told as `PIPEVIDEO_TEST_REDIS_URL`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Whether there is a server; where Debian's packages may be installed, one is.
fn installed(steps: &Steps) -> bool {
    const PROBE: &str = "redis-server --version";
    if !steps.has(PROBE) && steps.has("test -w /var/lib/dpkg/lock") {
        // In this run level the package does not start a server of its own.
        let quietly = "env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q";
        steps.install("Debian's list of packages", &format!("{quietly} update"));
        let install = format!("{quietly} install -y --no-install-recommends redis-server");
        steps.install("redis-server", &install);
    }
    steps.has(PROBE)
}
