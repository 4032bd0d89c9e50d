# Everyday commands; `just` (https://just.systems) lists them. Each also works without `just`, typed as it is here.

# List the recipes.
default:
    @just --list --unsorted

# Build the libraries and the `dotdo` program.
build:
    cargo build

# Serve on 127.0.0.1:8787, with state in ./.dotdo.
serve *options:
    cargo run --bin dotdo -- serve {{ options }}

# Create a project next to this repository: `just new ../my-project`.
new path:
    cargo run --bin dotdo -- new {{ path }} --dotdo-path .

# Run all tests, or those whose names contain a text.
test *filter:
    cargo test --workspace -- {{ filter }}

# Run the tests of one part of the core: `just core store::`.
core filter='':
    cargo test -p dotdo-core --lib {{ filter }}

# Check the house rules.
tidy:
    cargo test -p dotdo-tests --test tidy

# Run everything that must pass before a change is merged: format, lints, documentation, all tests.
check:
    .ci/run

# Format, and run clippy.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Simulate thousands of worlds; with a seed, only that one, with all its events.
simulation seed='':
    {{ if seed == '' { 'cargo test -p dotdo-core --lib simulation' } else { 'DOTDO_TEST_SEED=' + seed + ' cargo test -p dotdo-core --lib simulation::tests::histories -- --nocapture' } }}

# Explore the model of the protocol, and print the explored states.
model:
    cargo test -p dotdo-model -- --nocapture

# Run the failure scenarios on real processes and stores, or those whose names contain a text.
scenarios *filter:
    cargo test -p dotdo-tests --test scenarios {{ filter }}

# Run random failures of real processes and a real store, for a number of seconds.
chaos seconds='180':
    DOTDO_TEST_CHAOS_SECONDS={{ seconds }} cargo test -p dotdo-tests --test chaos -- --nocapture

# Fuzz a parser: `just fuzz record`.
fuzz target:
    cargo fuzz run --dev --sanitizer none {{ target }}

# Check the crates without optional features, and with each alone.
features *names:
    .ci/features {{ names }}

# Check the dependencies for known vulnerabilities, and their licences.
advisories:
    .ci/advisories

# Build and open the documentation of the crates.
docs:
    cargo doc --workspace --no-deps --open
