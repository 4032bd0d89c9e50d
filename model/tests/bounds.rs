//! Larger bounds than those of every run.

use dotdo_model::Setup;

/// What is added to every setup's bounds: `mishaps=1,requests=1,instances=1`, each of them
/// optional.
const VARIABLE: &str = "DOTDO_TEST_MODEL_BOUNDS";

/// The setup with what the variable adds.
pub(crate) fn enlarged(setup: &Setup) -> Setup {
    match std::env::var(VARIABLE) {
        Ok(text) => add(setup, &text),
        Err(_) => setup.clone(),
    }
}

fn add(setup: &Setup, text: &str) -> Setup {
    let mut larger = setup.clone();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, number) = part
            .split_once('=')
            .unwrap_or_else(|| panic!("{VARIABLE}: {part:?} is not name=number"));
        let number: u8 = number
            .parse()
            .unwrap_or_else(|_| panic!("{VARIABLE}: {number:?} is not a small number"));
        match name {
            "mishaps" => larger.mishaps_max += number,
            // More of what is there already.
            "requests" => {
                larger.requests.extend(setup.requests.iter().rev().cycle().take(number.into()))
            }
            "instances" => {
                larger.instances.extend(setup.instances.iter().rev().cycle().take(number.into()))
            }
            _ => panic!("{VARIABLE}: {name:?} is none of mishaps, requests, instances"),
        }
        // Each request may need a record or two more, each step more that is counted too.
        larger.slots += 2 * number;
        larger.steps = larger.steps.map(|most| most + 30 * number);
    }
    larger
}

#[test]
fn bounds_are_added() {
    let setup = dotdo_model::deletion();
    let larger = add(&setup, "mishaps=1,requests=2");
    assert_eq!(
        (larger.mishaps_max, larger.requests.len()),
        (setup.mishaps_max + 1, setup.requests.len() + 2)
    );
    assert_eq!(larger.instances, setup.instances);
}
