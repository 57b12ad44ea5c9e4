//! A Redis server for the examples that need one, running as long as their tests.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::debian;
use crate::steps::Steps;

/// What to do where it is not installed.
pub(crate) const MISSING: &str =
    "redis-server is missing; on Debian, install it with `apt-get install redis-server`";

/// How long to wait for the server to listen. It usually does within a second; the rest is for a busy
/// CI machine.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A server on a free port of 127.0.0.1 that stores nothing on disk.
///
/// It ends when this value is dropped, and also when this program is killed: the shell around the
/// server reads from a pipe that closes with this program.
pub(crate) struct Redis {
    shell: Child,
    url: String,
}

impl Redis {
    /// Starts a server. Where none can be started, reports why and counts `tests` as not run.
    pub(crate) fn start(steps: &mut Steps, tests: &str) -> Option<Self> {
        if !is_installed(steps) {
            steps.skip(tests, MISSING);
            return None;
        }
        match Self::serve() {
            Ok(redis) => Some(redis),
            Err(error) => {
                steps.skip(tests, &format!("redis-server did not start: {error}"));
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
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if started.elapsed() > START_TIMEOUT {
                drop(shell.stdin.take());
                return Err(io::Error::other("it did not listen on its port within 20 s"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { shell, url: format!("redis://127.0.0.1:{port}") })
    }

    /// The server's URL, which tests receive as `PIPEVIDEO_TEST_REDIS_URL`.
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

/// Whether `redis-server` is installed; installs it first where this process may install Debian packages.
pub(crate) fn is_installed(steps: &Steps) -> bool {
    debian::has(steps, "redis-server", "redis-server --version")
}
