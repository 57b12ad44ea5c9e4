//! A registry of npm packages on loopback, which asks no other registry.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::tools::Tools;

/// How long to wait until it listens. It usually does within two seconds; the rest is for a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Every package is this registry's own, and every client may publish.
const CONFIGURATION: &str = "\
storage: ./storage
auth:
  htpasswd:
    file: ./users
uplinks: {}
packages:
  '**':
    access: $all
    publish: $all
log:
  type: stdout
  format: pretty
  level: warn
max_body_size: 100mb
";

/// The registry. It ends when this value is dropped, and also when this program is killed: the shell around
/// it reads from a pipe that closes with this program.
pub(super) struct Registry {
    shell: Child,
    port: u16,
}

impl Registry {
    /// Starts it with its storage in an empty folder.
    pub(super) fn start(tools: &Tools, folder: &Path) -> io::Result<Self> {
        let configuration = folder.join("config.yaml");
        fs::write(&configuration, CONFIGURATION)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = "verdaccio --config \"$0\" --listen \"$1\" & read _; kill $!; wait";
        let shell = tools
            .command("sh")
            .args(["-c", server])
            .arg(&configuration)
            .arg(format!("127.0.0.1:{port}"))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .spawn()?;
        let registry = Self { shell, port };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if started.elapsed() > START_TIMEOUT {
                return Err(io::Error::other("it did not listen on its port within a minute"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(registry)
    }

    /// npm's settings for it. It accepts any token, but npm publishes only with one.
    pub(super) fn npmrc(&self) -> String {
        let host = format!("127.0.0.1:{}", self.port);
        format!(
            "registry=http://{host}/\n//{host}/:_authToken=rehearsal\naudit=false\nfund=false\n"
        )
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
