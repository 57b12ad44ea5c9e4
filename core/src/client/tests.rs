#[test]
fn sizes() {
    use super::*;
    println!("generation {}", size_of::<crate::Generation>());
    println!("token usage {}", size_of::<crate::TokenUsage>());
    println!("lifecycle {}", size_of::<crate::follow::lifecycle::Lifecycle>());
    println!("event {}", size_of::<follower::Event>());
    println!("command {}", size_of::<follower::Command>());
    println!("subscription {}", size_of::<follower::Subscription>());
    let client = Client::builder().api_key("pv_x").build().unwrap();
    let f = wait::to_the_end(client, "x".into(), None, None, None);
    println!("future {}", size_of_val(&f));
}
#[test]
fn sizes2() {
    use super::*;
    let client = Client::builder().api_key("pv_x").build().unwrap();
    println!("poll {}", size_of_val(&client.inner.poll("x")));
    let r = crate::GenerationRequest::new("a", "b");
    println!("create {}", size_of_val(&client.inner.create(&r)));
    println!("retrieve {}", size_of_val(&client.responses().retrieve("x")));
    println!("enter {}", size_of_val(&client.inner.shared.gate.enter()));
}
