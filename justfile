# Everyday commands: `just` lists them (https://just.systems). Each is one line that can be typed without it as well.

# Lists the recipes.
default:
    @just --list --unsorted

# The libraries and the `dotdo` program.
build:
    cargo build

# The server on 127.0.0.1:8787, with its state in ./.dotdo.
serve *options:
    cargo run --bin dotdo -- serve {{ options }}

# All tests, or those whose names have a text.
test *filter:
    cargo test --workspace -- {{ filter }}

# The tests of one part of the core: `just core store::`.
core filter='':
    cargo test -p dotdo-core --lib {{ filter }}

# The house rules.
tidy:
    cargo test -p dotdo-tests --test tidy

# What has to hold before a change is merged: format, lints, documentation, all tests.
check:
    .ci/run

# Formats, and shows what clippy says.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Thousands of simulated worlds; with a seed, that one and everything that happens in it.
simulation seed='':
    {{ if seed == '' { 'cargo test -p dotdo-core --lib simulation' } else { 'DOTDO_TEST_SEED=' + seed + ' cargo test -p dotdo-core --lib simulation::tests::histories -- --nocapture' } }}

# The protocol's model, with what was explored.
model:
    cargo test -p dotdo-model -- --nocapture

# Failures of real processes and stores, or those whose names have a text.
scenarios *filter:
    cargo test -p dotdo-tests --test scenarios {{ filter }}

# Random failures of real processes and a real store, for so many seconds.
chaos seconds='180':
    DOTDO_TEST_CHAOS_SECONDS={{ seconds }} cargo test -p dotdo-tests --test chaos -- --nocapture

# Searches for inputs that break a reader: `just fuzz record`.
fuzz target:
    cargo fuzz run --dev --sanitizer none {{ target }}

# Known vulnerabilities and licences of the dependencies.
advisories:
    .ci/advisories

# The documentation of the crates.
docs:
    cargo doc --workspace --no-deps --open
