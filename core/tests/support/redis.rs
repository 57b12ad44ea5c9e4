//! A Redis server of a test, which may freeze, end and start again.
#![allow(clippy::disallowed_methods, reason = "it waits for a process without a runtime")]

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A server on a port of 127.0.0.1 that stores nothing on disk. It ends when it is dropped, and also
/// when the tests are killed: the shell around it reads from a pipe that closes with them.
pub(crate) struct RedisServer {
    port: u16,
    running: Option<(Child, Pid)>,
    settings: Vec<String>,
    directory: PathBuf,
}

/// Whether the tests that need a server run. `cargo xtask test` says so if they do not.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn is_there() -> bool {
    std::env::var_os("PIPEVIDEO_TEST_WITHOUT_REDIS").is_none()
}

/// A port that nothing uses. Systems give out others for connections and servers that ask for any.
pub(crate) fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..30_000)).find(is_free).unwrap()
}

#[allow(dead_code, reason = "not every test needs all")]
impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with some settings: `["--requirepass", "secret"]`.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let port = free_port();
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let directory = tempfile::tempdir().unwrap().keep();
        let mut server = Self { port, running: None, settings, directory };
        server.start_again();
        server
    }

    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none());
        let mut arguments =
            vec!["--bind 127.0.0.1 --save '' --appendonly no --loglevel warning".into()];
        arguments.push(format!("--port {} --dir {}", self.port, self.directory.display()));
        arguments.push(format!("--unixsocket {}", self.socket().display()));
        arguments.extend(self.settings.iter().cloned());
        // The shell ends with the server, and ends it when its own input closes.
        let server = format!("redis-server {} >/dev/null", arguments.join(" "));
        let script =
            format!("exec 3<&0; {server} & p=$!; echo $p; (read _ <&3; kill -9 $p) & wait $p");
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell says there that the server was killed.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let has_ended = shell.try_wait().unwrap().is_some();
            assert!(
                !has_ended,
                "redis-server is missing (on Debian, install it with apt) or ended"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        self.running = Some((shell, pid));
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The path of its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs one command.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut call = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            call.arg(word);
        });
        call.query(&mut self.connection()).unwrap()
    }

    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends the server at once. It forgets everything.
    pub(crate) fn kill(&mut self) {
        let Some((mut shell, _)) = self.running.take() else { return };
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.running.as_ref().unwrap().1, signal).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
