//! What stands between the processes and the server, or in its place.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What happens to the server's replies.
#[derive(Clone, Debug)]
enum Fault {
    None,
    /// They come later.
    Delay(Duration),
    /// Nothing comes, and the connections stay.
    Silence,
    /// Each comes twice.
    Twice,
    /// The connections end in the midst of one.
    Torn,
    /// Something else comes in their place, over and over if it is to.
    Instead(Vec<u8>, bool),
    /// The window says this in place of its reply.
    Window(&'static str),
}

/// A server that passes on what comes from another one.
struct Proxy {
    url: String,
    fault: Arc<Mutex<Fault>>,
}

impl Proxy {
    async fn start(redis: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let fault = Arc::new(Mutex::new(Fault::None));
        let (port, shared) = (redis.port(), fault.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, port, shared.clone()));
            }
        });
        Self { url, fault }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

/// Passes on what comes over one connection. Its end is that of both.
async fn pass(client: TcpStream, port: u16, fault: Arc<Mutex<Fault>>) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests =
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut replies = vec![0; 1 << 16];
    loop {
        let count = from_server.read(&mut replies).await?;
        if count == 0 {
            break;
        }
        let reply = &replies[..count];
        let fault = fault.lock().unwrap().clone();
        match fault {
            Fault::None => to_client.write_all(reply).await?,
            Fault::Delay(delay) => {
                tokio::time::sleep(delay).await;
                to_client.write_all(reply).await?;
            }
            Fault::Silence => {}
            Fault::Twice => to_client.write_all(&[reply, reply].concat()).await?,
            Fault::Torn => {
                to_client.write_all(&reply[..count / 2]).await?;
                break;
            }
            Fault::Instead(other, is_endless) => {
                to_client.write_all(&other).await?;
                // Until the client has had enough.
                while is_endless && to_client.write_all(&other).await.is_ok() {}
            }
            Fault::Window(text) if reply.starts_with(b"$") && reply.contains(&b'{') => {
                let text = format!("${}\r\n{text}\r\n", text.len());
                to_client.write_all(text.as_bytes()).await?;
            }
            Fault::Window(_) => to_client.write_all(reply).await?,
        }
    }
    requests.abort();
    Ok(())
}

/// Two processes that share over a proxy, after so many requests.
async fn share(clients: &[Client; 2], left: usize) {
    until(|| {
        clients.iter().all(|client| client.peers() == 2 && client.budget_left() == Some(left))
    })
    .await;
}

/// Makes a call with each client, in the time that they may wait for the server.
async fn call(clients: &[Client; 2]) {
    let began = Instant::now();
    for client in clients {
        client.usage().retrieve().await.unwrap();
    }
    // Twice a quarter of a second, on a machine that is busy.
    assert!(began.elapsed() < S * 4, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_whatever_the_network_does() {
    let Some(world) = World::start(json!({})).await else { return };
    let proxy = Proxy::start(&world.redis).await;
    let client = |number| world.process_over(&proxy.url, number).build().unwrap();
    let clients = [client(0), client(1)];
    let text = |text: &str| text.as_bytes().to_vec();
    let mut left = 100;
    for fault in [
        Fault::Delay(MS * 200),
        Fault::Delay(MS * 300),
        Fault::Silence,
        Fault::Twice,
        Fault::Torn,
        Fault::Instead(text("HTTP/1.1 400 Bad Request\r\n\r\n"), false),
        Fault::Instead(text("$99999999999999\r\nx"), true),
        Fault::Instead(text("*9223372036854775807\r\n:1\r\n"), true),
        Fault::Instead(text("%9223372036854775807\r\n|-1\r\n~-1\r\n=-1\r\n!-1\r\n"), true),
        Fault::Instead("*1\r\n".repeat(100_000).into_bytes(), false),
        Fault::Instead(text(">3\r\n+message\r\n+x\r\n+used 1 1\r\n"), true),
        Fault::Instead(text("_\r\n#t\r\n,nan\r\n(1\r\n"), true),
        Fault::Window("null"),
        Fault::Window(r#"{"is_lost":true}"#),
        Fault::Window(r#"{"version":1,"granted":{"direct":18446744073709551615,"poll":1}}"#),
        Fault::Window(r#"{"others":18446744073709551615,"demand":-1e308,"used":{"direct":0}}"#),
    ] {
        share(&clients, left).await;
        proxy.set(fault);
        for _ in 0..3 {
            call(&clients).await;
            left -= 2;
        }
        proxy.set(Fault::None);
    }
    share(&clients, left).await;
    assert_eq!(world.emulator.requests().len(), 100 - left);
}

/// Connecting takes several round trips, for which no call waits. Each process may keep to its share.
#[tokio::test(flavor = "multi_thread")]
async fn processes_share_over_a_server_that_is_far_away() {
    let Some(world) = World::start(json!({})).await else { return };
    let proxy = Proxy::start(&world.redis).await;
    proxy.set(Fault::Delay(MS * 150));
    let client = |number| world.process_over(&proxy.url, number).build().unwrap();
    let clients = [client(0), client(1)];
    until(|| clients.iter().all(|client| client.peers() == 2)).await;
    clients[0].responses().create(request("A cat")).await.unwrap();
    until(|| clients[1].spend().in_flight_count == 1).await;
}

/// Another program that publishes on the channel, and stores under the names of this library.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_stores_and_publishes_does_no_harm() {
    let Some(world) = World::start(json!({})).await else { return };
    let clients: [_; 2] = world.clients();
    clients[0].responses().create(request("A cat")).await.unwrap();
    share(&clients, 99).await;
    let ledger = world.key("ledger").await;
    let key = |name: &str| ledger.replace(":ledger", &format!(":{name}"));
    let mut left = 99;
    for commands in [
        &["SET calls x", "SET polls x", "SET processes x", "SET feed x", "LPUSH ledger x"][..],
        &["HSET processes window x x y", "ZADD feed 1 x", "SET ledger x"],
        &[r#"HSET processes window {"at":"x"} x [1]"#],
        &["ZADD calls 99999999999999 x"],
        &["PUBLISH channel x", "PUBLISH channel x_used_18446744073709551615_1"],
        &["PUBLISH channel x_used_9999999999_1", "PUBLISH channel x_used_-1_-1"],
        &["PUBLISH channel x_ended_18446744073709551615_x", "PUBLISH channel x_created_x_x"],
    ] {
        for command in commands {
            let mut words = command.split(' ');
            let (name, of) = (words.next().unwrap(), words.next().unwrap());
            let mut command = redis::cmd(name);
            let mut connection = world.redis.connection();
            if name != "PUBLISH" && name != "ZADD" {
                redis::cmd("DEL").arg(key(of)).exec(&mut connection).unwrap();
            }
            command.arg(key(of));
            for word in words {
                command.arg(word.replace('_', " "));
            }
            command.exec(&mut connection).unwrap();
        }
        call(&clients).await;
        left -= 2;
        share(&clients, left).await;
    }
}
