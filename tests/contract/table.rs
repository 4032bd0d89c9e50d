//! The table of docs/ADAPTERS.md says what the hosts declare.

use crate::host::Abilities;
use crate::hosts::all;

/// The document that has the table.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ADAPTERS.md");

impl Abilities {
    /// The declared abilities as rows: the name, and the cell of this platform.
    fn rows(self) -> Vec<(&'static str, String)> {
        let yes = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
        let most = |bytes: Option<u64>| {
            bytes.map_or_else(|| "the server's limit".to_owned(), |bytes| format!("{bytes}"))
        };
        // Every field is named, so that none is forgotten. Whether the tests start the programs is
        // no matter of the platform.
        let Self {
            streams_requests,
            streams_responses,
            is_concurrent,
            request_bytes_max,
            response_bytes_max,
            keeps_repeated_headers,
            keeps_repeated_answers,
            keeps_header_bytes,
            keeps_encoded_paths,
            keeps_encoded_queries,
            takes_leases,
            ends_in_order,
            holds_connections,
            is_ours: _,
        } = self;
        vec![
            ("requests are streamed", yes(streams_requests)),
            ("responses are streamed", yes(streams_responses)),
            ("concurrent requests in one process", yes(is_concurrent)),
            ("maximum request body, bytes", most(request_bytes_max)),
            ("maximum response body, bytes", most(response_bytes_max)),
            ("repeated request headers stay separate", yes(keeps_repeated_headers)),
            ("repeated response headers stay separate", yes(keeps_repeated_answers)),
            ("header values may be any bytes", yes(keeps_header_bytes)),
            ("encoded paths arrive unchanged", yes(keeps_encoded_paths)),
            ("encoded queries arrive unchanged", yes(keeps_encoded_queries)),
            ("ownership by leases", yes(takes_leases)),
            ("SIGTERM: requests in flight are answered", yes(ends_in_order)),
            ("WebSockets", yes(holds_connections)),
        ]
    }
}

/// The table as it must be.
fn table() -> String {
    let hosts = all();
    let names: Vec<_> = hosts.iter().map(|(name, _)| format!("`{name}`")).collect();
    let cells: Vec<_> = hosts.iter().map(|(_, host)| host.abilities().rows()).collect();
    let mut table = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (at, (name, _)) in Abilities::ALL.rows().iter().enumerate() {
        let cells: Vec<_> = cells.iter().map(|rows| rows[at].1.as_str()).collect();
        table.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    table
}

#[test]
fn the_document_has_the_table_of_what_hosts_declare() {
    let document = std::fs::read_to_string(DOCUMENT).expect("the document is there");
    let table = table();
    assert!(document.contains(&table), "docs/ADAPTERS.md must have this table:\n\n{table}");
}
