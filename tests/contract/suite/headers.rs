//! Headers in both directions, cookies among them, and the names of requests.

use serde_json::{Value, json};

use crate::message::{Answer, get, post, with};
use crate::stage::{Stage, fresh};

/// The values of a header that an object has seen, in their order.
pub(super) fn seen(answer: &Answer, name: &str) -> Vec<Vec<u8>> {
    let bytes = |value: &Value| {
        value
            .as_str()
            .expect("a text")
            .chars()
            .map(|char| u8::try_from(char).expect("a byte"))
            .collect()
    };
    let seen = answer.json();
    let pairs = seen["headers"].as_array().expect("a list");
    pairs.iter().filter(|pair| pair[0] == name).map(|pair| bytes(&pair[1])).collect()
}

/// What a list of headers says when it may have been joined.
pub(super) fn joined(values: &[impl AsRef<[u8]>], by: u8) -> Vec<Vec<u8>> {
    let parts = values.iter().flat_map(|value| value.as_ref().split(move |byte| *byte == by));
    parts.map(|part| part.trim_ascii().to_owned()).collect()
}

pub(crate) async fn names_and_values_arrive(on: &Stage) {
    let long = "v".repeat(4000);
    let sent: [(&'static str, &str); 7] = [
        ("x-plain", "value"),
        ("x-under_score", "1"),
        ("x-empty", ""),
        ("x-quoted", "\"a, b\"; c=\"d\\\"\"; {\"e\": [1]}"),
        ("x-long", &long),
        ("authorization", "Bearer a.b-c_d~e+f/g=="),
        ("user-agent", "contract/1.0 (+https://example.com/)"),
    ];
    let all =
        sent.iter().fold(get(&format!("/do/{}/here", fresh("names"))), |request, (name, value)| {
            with(request, name, value.as_bytes())
        });
    let answer = on.ask(all).await;
    for (name, value) in sent {
        assert_eq!(seen(&answer, name), [value.as_bytes()], "{name}");
    }
    assert_eq!(seen(&answer, "x-do-type"), [b"Mirror"]);
    assert_eq!(seen(&answer, "host").len(), 1, "{}", answer.json());
}

pub(crate) async fn bytes_outside_of_ascii_arrive(on: &Stage) {
    let path = format!("/do/{}", fresh("bytes"));
    let mut values = vec!["grüße, 世界".as_bytes().to_owned()];
    if on.abilities().keeps_header_bytes {
        values.push((0xa0..=0xff).collect());
    }
    for value in values {
        let answer = on.ask(with(get(&format!("{path}/here")), "x-bytes", &value)).await;
        assert_eq!(seen(&answer, "x-bytes"), [&*value], "in a request");
        let text: String = value.iter().copied().map(char::from).collect();
        let answer = on
            .ask(post(
                &format!("{path}/say"),
                json!({ "headers": [["x-bytes", text]] }).to_string(),
            ))
            .await;
        assert_eq!(answer.values("x-bytes"), [&*value], "in an answer");
    }
}

pub(crate) async fn repeated_headers_arrive(on: &Stage) {
    let sent = ["one", "two, three", "four"];
    let path = format!("/do/{}", fresh("repeated"));
    let request = sent.iter().fold(get(&format!("{path}/here")), |request, value| {
        with(request, "x-many", value.as_bytes())
    });
    let seen = seen(&on.ask(request).await, "x-many");
    if on.abilities().keeps_repeated_headers {
        assert_eq!(seen, sent.map(|value| value.as_bytes().to_owned()));
    } else {
        assert_eq!((seen.len(), joined(&seen, b',')), (1, joined(&sent, b',')));
    }
    let wish = json!({ "headers": sent.map(|value| ["x-many", value]) });
    let answer = on.ask(post(&format!("{path}/say"), wish.to_string())).await;
    let got = answer.values("x-many");
    if on.abilities().keeps_repeated_answers {
        assert_eq!(got, sent.map(str::as_bytes));
    } else {
        assert_eq!((got.len(), joined(&got, b',')), (1, joined(&sent, b',')));
    }
}

pub(crate) async fn cookies_arrive(on: &Stage) {
    let path = format!("/do/{}", fresh("cookies"));
    let one = "a=1; b=\"two\"; c=%20x=y";
    assert_eq!(
        seen(&on.ask(with(get(&format!("{path}/here")), "cookie", one.as_bytes())).await, "cookie"),
        [one.as_bytes()]
    );
    let two = with(with(get(&format!("{path}/here")), "cookie", b"a=1; b=2"), "cookie", b"c=3");
    let two = joined(&seen(&on.ask(two).await, "cookie"), b';');
    assert_eq!(two, [b"a=1", b"b=2", b"c=3"], "RFC 6265 joins them by semicolons");
    let set = [
        "session=abc; Path=/; HttpOnly; Secure; SameSite=Lax",
        "theme=dark; Expires=Wed, 21 Oct 2065 07:28:00 GMT",
        "session=; Max-Age=0; Path=/old",
    ];
    let wish = json!({ "headers": set.map(|value| ["set-cookie", value]) });
    let answer = on.ask(post(&format!("{path}/say"), wish.to_string())).await;
    assert_eq!(
        answer.values("set-cookie"),
        set.map(str::as_bytes),
        "each in a line of its own, in order"
    );
}

pub(crate) async fn what_answers_say_arrives(on: &Stage) {
    let path = format!("/do/{}/say", fresh("answers"));
    for (status, headers, body) in [
        (
            200,
            json!([
                ["content-type", "text/html; charset=utf-8"],
                ["etag", "W/\"1\""],
                ["cache-control", "max-age=60"]
            ]),
            "<p>ä</p>",
        ),
        (201, json!([["location", "/do/a/b?c=%20d"], ["x-long", "v".repeat(4000)]]), "{}"),
        (302, json!([["location", "https://example.com/?a=b&c"]]), ""),
        (404, json!([["content-type", "text/plain"]]), "the object's own"),
        (418, json!([["content-type", "application/problem+json"]]), "{\"own\": true}"),
        (500, json!([]), "the object's own, too"),
    ] {
        let answer = on
            .ask(post(
                &path,
                json!({ "status": status, "headers": headers, "body": body }).to_string(),
            ))
            .await;
        assert_eq!((answer.status, answer.text()), (status, body));
        for pair in headers.as_array().into_iter().flatten() {
            let (name, value) =
                (pair[0].as_str().expect("a name"), pair[1].as_str().expect("a value"));
            assert_eq!(answer.values(name), [value.as_bytes()], "{name} of {status}");
        }
    }
}

pub(crate) async fn request_ids_are_kept_or_made(on: &Stage) {
    let path = format!("/do/{}/here", fresh("named"));
    let answer = on.ask(with(get(&path), "x-request-id", b"my-id:1")).await;
    assert_eq!(
        (answer.values("x-request-id"), seen(&answer, "x-request-id")),
        (vec![&b"my-id:1"[..]], vec![b"my-id:1".to_vec()])
    );
    let mut made = Vec::new();
    for bad in [None, None, Some("not an id"), Some("{}")] {
        let request = bad
            .iter()
            .fold(get(&path), |request, bad| with(request, "x-request-id", bad.as_bytes()));
        let answer = on.ask(request).await;
        let [id] = answer.values("x-request-id")[..] else { panic!("one id: {answer:?}") };
        assert_eq!(
            seen(&answer, "x-request-id"),
            [id],
            "the object and the client know the same name"
        );
        made.push(id.to_owned());
    }
    let mut different = made.clone();
    different.sort();
    different.dedup();
    assert!(different.len() == made.len() && made.iter().all(|id| id.len() > 8), "{made:?}");
    let refused = on.ask(with(get("/nothing"), "x-request-id", b"fails")).await;
    assert_eq!(refused.error()["requestId"], "fails");
}
