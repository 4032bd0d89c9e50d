//! Answers of a security token service (Amazon's STS, version 2011-06-15): XML of which only the
//! keys, or the code and the message of an error are read, since services differ in the rest.

use super::answer::{Fresh, Said};

/// The keys in an answer; `None` unless all of them are there and can be what they should be.
pub(crate) fn keys(body: &str) -> Option<Fresh> {
    let inside = inner(body, "Credentials")?;
    let part = |name| element(inside, name);
    Said {
        access_key_id: &part("AccessKeyId")?,
        secret_access_key: &part("SecretAccessKey")?,
        session_token: Some(&part("SessionToken")?),
        expires: &part("Expiration")?,
    }
    .check()
}

/// The text of the first element `name`, which has no elements inside.
pub(crate) fn element(body: &str, name: &str) -> Option<String> {
    let text = inner(body, name)?.trim();
    (!text.contains('<')).then(|| unescaped(text))
}

/// What is inside of the first element `name`; these answers have no attributes there.
fn inner<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

/// The text that stands for `text` in XML. `&` comes last, so that nothing is replaced twice.
fn unescaped(text: &str) -> String {
    const ENTITIES: [(&str, &str); 11] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#43;", "+"),
        ("&#x2B;", "+"),
        ("&#61;", "="),
        ("&#38;", "&amp;"),
        ("&amp;", "&"),
    ];
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

#[cfg(test)]
mod tests {
    use dotdo_core::Secret;

    use super::*;

    #[test]
    fn keys_are_read_from_the_answers_of_amazon_and_of_seaweedfs() {
        let keys_of = |more: &str| {
            keys(&format!(
                "<?xml version=\"1.0\"?>\n<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <AssumeRoleWithWebIdentityResult>{more}<Credentials>\n <SessionToken>to/k&amp;en=</SessionToken>\n\
                 <SecretAccessKey>secret</SecretAccessKey><Expiration>2026-01-01T00:00:00Z</Expiration>\
                 <AccessKeyId> ASIA1 </AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
                 </AssumeRoleWithWebIdentityResponse>"
            ))
        };
        let of_role = "<AssumedRoleUser><Arn>arn</Arn><AssumedRoleId>ARO:dotdo</AssumedRoleId></AssumedRoleUser>";
        for more in ["", of_role] {
            let fresh = keys_of(more).expect("keys");
            assert_eq!(fresh.keys.access_key_id, "ASIA1");
            assert_eq!(fresh.keys.session_token, Some(Secret::new("to/k&en=")));
            assert_eq!(fresh.ends_ms, 1_767_225_600_000);
        }
    }

    #[test]
    fn a_text_is_unescaped_once() {
        let text = |inside: &str| element(&format!("<Code>{inside}</Code>"), "Code");
        assert_eq!(text("a&lt;b&#39;c&#x2B;").as_deref(), Some("a<b'c+"));
        assert_eq!(text("&amp;lt; &#38;").as_deref(), Some("&lt; &"));
    }

    #[test]
    fn an_answer_without_whole_keys_is_none() {
        for body in [
            "",
            "<html>",
            "<Credentials></Credentials>",
            "<Credentials><AccessKeyId>a</AccessKeyId></Credentials>",
            "<Credentials><AccessKeyId><b>a</b></AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials>",
        ] {
            assert!(keys(body).is_none(), "{body}");
        }
    }
}
