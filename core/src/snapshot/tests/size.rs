//! A snapshot costs what changed.

use super::*;

const KIB: usize = 1024;

fn bytes(rig: &mut Rig) -> usize {
    let plan = rig.plan();
    let files = usize::try_from(plan.bytes()).expect("it is in memory");
    rig.publish(plan);
    let key = latest_key(&rig.prefix());
    let description =
        block_on(rig.bucket.get(&key)).expect("an answer").expect("a hint").bytes.len();
    files + 2 * description
}

#[test]
fn one_changed_row_costs_at_most_64_kib_however_large_the_table() {
    let mut rig = Rig::with(
        "CREATE TABLE things(id TEXT PRIMARY KEY, type TEXT, data TEXT);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO things SELECT hex(randomblob(8)), 'type ' || i % 8, hex(randomblob(40)) FROM n",
    );
    let whole = bytes(&mut rig);
    assert!(whole > 4000 * KIB, "{whole}");
    let mut most = 0;
    for row in 1..60 {
        rig.pass(Duration::from_secs(60));
        rig.commit(&format!("UPDATE things SET data = 'changed' WHERE rowid = {}", row * 1000));
        most = most.max(bytes(&mut rig));
    }
    assert!(most <= 64 * KIB, "one row cost {most} bytes");
    rig.restart();
}
