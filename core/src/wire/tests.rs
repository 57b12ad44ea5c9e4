//! Every request, byte for byte.

use serde_json::json;

use super::{Request, create, engines, retrieve, usage};
use crate::model::{Detail, GenerationId, GenerationRequest, InputItem, InputPart, Media, Role};
use crate::test_snapshots;

fn check(name: &str, request: &Request) {
    let body = request.body.as_deref().map(|body| std::str::from_utf8(body).unwrap());
    let key = if request.authorized { "with the key" } else { "without the key" };
    let text = format!("{} {} {key}\n{}", request.method, request.path, body.unwrap_or("no body"));
    test_snapshots::check(name, &text);
}

fn check_create(name: &str, request: &GenerationRequest) {
    let built = create(request).unwrap();
    check(name, &built);
    // A request that a program keeps as JSON, as in a journal, can be sent later.
    let again: GenerationRequest = serde_json::from_slice(built.body.as_deref().unwrap()).unwrap();
    assert_eq!(create(&again).unwrap(), built);
}

#[test]
fn a_create_with_the_required_fields() {
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    check_create("create_minimal", &request);
}

#[test]
fn a_create_with_all_fields() {
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A \"cat\"\n🐈 am Strand")
        .instructions("Keep it calm.")
        .width(1920)
        .height(1080)
        .aspect_ratio("16:9")
        .provider(["framerate"])
        .engine("hyperframes")
        .expand_prompt(false)
        .extra("seed", 42)
        .extra("style", json!({"mood": ["calm", null]}));
    check_create("create_everything", &request);
}

#[test]
fn a_create_with_items() {
    let png = Media::bytes(b"\x89PNG\r\n\x1a\n").unwrap();
    let unknown = json!({"type": "input_song", "song_url": {"url": "https://example.com/a.mp3"}});
    let input = vec![
        InputItem::new(Role::System, vec![InputPart::text("Be brief.")]),
        InputItem::new(Role::Developer, vec![InputPart::text("No captions.")]),
        InputItem::new(Role::Assistant, vec![InputPart::text("What shall I make?")]),
        InputItem::new(
            Role::User,
            vec![
                InputPart::text("Make it walk"),
                InputPart::image("https://example.com/cat.png?size=1&v=2"),
                InputPart::image_with_detail(png, Detail::Original),
                InputPart::image_with_detail("https://example.com/b.png", Detail::Auto),
                InputPart::image_with_detail("https://example.com/c.png", Detail::Low),
                InputPart::image_with_detail("https://example.com/d.png", Detail::High),
                InputPart::video("https://example.com/cat.mp4"),
                InputPart::Other(unknown.as_object().unwrap().clone()),
            ],
        ),
    ];
    check_create("create_items", &GenerationRequest::new("m", input));
}

#[test]
fn a_create_from_a_list_of_parts() {
    let parts =
        vec![InputPart::text("Make it walk"), InputPart::image("https://example.com/a.png")];
    check_create("create_parts", &GenerationRequest::new("m", parts));
}

#[test]
fn a_create_with_a_provider_object_or_list() {
    let provider = json!({"order": ["framerate", "other"], "allow_fallbacks": false});
    let request =
        GenerationRequest::new("m", "A cat").provider(provider.as_object().unwrap().clone());
    check_create("create_provider_object", &request);
    let request = GenerationRequest::new("m", "A cat").provider(["first", "second"]);
    check_create("create_provider_list", &request);
}

#[test]
fn reads() {
    let id = |id: &str| GenerationId::parse(id).unwrap();
    check("retrieve", &retrieve(&id("gen_abc123xyz")));
    check("retrieve_escaped", &retrieve(&id("gen/../usage?a=b#c d%2F\u{e9}")));
    check("engines", &engines());
    check("usage", &usage());
}
