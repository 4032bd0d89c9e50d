//! The architecture's invariants, written as what is not there.

use crate::source::{Source, files, word_at};

/// Words that no code in one place may have.
struct Absence {
    /// Below which folders the rule holds.
    within: &'static [&'static str],
    /// Below which it does not.
    except: &'static [&'static str],
    words: &'static [&'static str],
    /// Whether tests are bound too.
    in_tests: bool,
    why: &'static str,
}

const PRODUCT: &[&str] = &["core/", "adapters/", "builtin/", "js/", "cli/", "api/", "examples/"];

const ABSENCES: &[Absence] = &[
    Absence {
        within: PRODUCT,
        except: &["core/src/store/"],
        words: &["object_store"],
        in_tests: true,
        why: "only core/src/store knows how to talk to a store",
    },
    Absence {
        within: PRODUCT,
        except: &["core/src/sqlite/"],
        words: &["dotdo_sqlite_sys"],
        in_tests: true,
        why: "only core/src/sqlite knows the engine, so that it can be replaced",
    },
    Absence {
        within: PRODUCT,
        except: &[],
        words: &["rusqlite", "libsqlite3_sys"],
        in_tests: true,
        why: "the product has one SQLite, the one in sqlite/; another is for tests and benches",
    },
    Absence {
        within: PRODUCT,
        except: &["core/src/iceberg/"],
        words: &["arrow_array", "arrow_schema", "arrow_buffer", "parquet"],
        in_tests: false,
        why: "only core/src/iceberg knows the file formats of snapshots",
    },
    Absence {
        within: &["core/src/"],
        except: &["core/src/testing/", "core/src/simulation/", "core/src/store/mod.rs"],
        words: &["bucket.get(", "bucket().get(", "inner.get("],
        in_tests: false,
        why: "whoever reads from a bucket says how much it is ready to take (get_within)",
    },
    Absence {
        within: &["core/src/sqlite/"],
        except: &[],
        words: &["store", "Bucket", "Key", "Snapshot", "lease"],
        in_tests: true,
        why: "the database knows no bucket: they meet in change.rs",
    },
    Absence {
        within: &["core/src/iceberg/"],
        except: &[],
        words: &["sqlite", "Database"],
        in_tests: false,
        why: "the file formats know no SQLite: they meet in change.rs",
    },
    Absence {
        within: &["core/src/store/"],
        except: &[],
        words: &["ObjectId", "Tenant", "Record", "Snapshot"],
        in_tests: true,
        why: "a store does not know what it stores",
    },
    Absence {
        within: &["core/src/"],
        except: &[
            "core/src/tenants/",
            "core/src/activation/runtime.rs",
            "core/src/lib.rs",
            "core/src/testing/examples.rs",
        ],
        words: &["Buckets", "SharedBucket", "BucketOfTenant"],
        in_tests: false,
        why: "the core reaches a bucket through a TenantBucket only, which refuses keys of other tenants",
    },
    Absence {
        within: &["core/src/"],
        except: &["core/src/id/"],
        words: &["ObjectId::new"],
        in_tests: true,
        why: "an object is one of a tenant: `Tenant::object` makes it",
    },
    Absence {
        within: &["core/src/"],
        except: &[
            "core/src/activation/",
            "core/src/alarms/",
            "core/src/messages/",
            "core/src/rollup/",
        ],
        words: &["tokio::spawn", "task::spawn", "thread::spawn", "spawn_local", "JoinSet"],
        in_tests: false,
        why: "concurrency lives in activation/, alarms/, messages/ and rollup/ and nowhere else, so that it can be simulated",
    },
    Absence {
        within: &["core/src/"],
        except: &[],
        words: &[
            "std::env",
            "env::var",
            "println!",
            "eprintln!",
            "print!",
            "eprint!",
            "process::exit",
        ],
        in_tests: false,
        why: "the core reads no environment and prints nothing",
    },
    Absence {
        within: &["core/src/"],
        except: &[],
        words: &[
            "SystemTime::now",
            "Instant::now()",
            "Utc::now",
            "Zoned::now",
            "Timestamp::now",
            "tokio::time",
            "thread::sleep",
        ],
        in_tests: false,
        why: "the core's clock is injected (clock.rs)",
    },
    Absence {
        within: &["core/src/"],
        except: &[],
        words: &["rand", "getrandom", "new_v4", "now_v7", "RandomState"],
        in_tests: false,
        why: "the core's randomness is injected (clock.rs)",
    },
    Absence {
        within: &["core/src/"],
        except: &["core/src/store/remote/"],
        words: &["reqwest"],
        in_tests: false,
        why: "the core knows no client but the one below that of its stores",
    },
    Absence {
        within: &["core/src/"],
        except: &[],
        words: &["hyper", "axum", "lambda_http", "vercel_runtime"],
        in_tests: false,
        why: "the core is a function from a request to a response and knows no server",
    },
    Absence {
        within: &[""],
        except: &["core/src/sync.rs"],
        words: &["PoisonError"],
        in_tests: true,
        why: "core/src/sync.rs has the locks that a panic does not poison",
    },
    Absence {
        within: PRODUCT,
        except: &["core/src/millis.rs"],
        words: &["as_millis()).unwrap_or", "as_millis()).expect"],
        in_tests: false,
        why: "core/src/millis.rs converts durations to milliseconds",
    },
    Absence {
        within: &[""],
        except: &[],
        words: &[
            "todo!",
            "unimplemented!",
            "dbg!",
            ".unwrap()",
            ".unwrap_err()",
            "#[ignore",
            "#[allow(",
            "#![allow(",
        ],
        in_tests: true,
        why: "nothing is left undone, skipped or waved through; `expect` says why it can't fail, `#[expect]` why a lint is wrong",
    },
];

impl Absence {
    fn binds(&self, source: &Source) -> bool {
        let below = |folders: &[&str]| folders.iter().any(|folder| source.path.starts_with(folder));
        below(self.within) && !below(self.except) && (self.in_tests || !source.is_test())
    }

    fn violations(&self, source: &Source) -> Vec<String> {
        let code = if self.in_tests { source.code() } else { source.product_code() };
        let mut found = Vec::new();
        for (number, line) in code.lines().enumerate() {
            for word in self.words.iter().filter(|word| word_at(line, word).is_some()) {
                found.push(format!("{}:{}: `{word}`: {}", source.path, number + 1, self.why));
            }
        }
        found
    }
}

#[test]
fn what_must_be_absent_is_absent() {
    let sources = files(".rs");
    let bound = |absence: &'static Absence| {
        sources.iter().filter(|source| absence.binds(source)).map(move |source| (absence, source))
    };
    let found: Vec<String> = ABSENCES
        .iter()
        .flat_map(bound)
        .flat_map(|(absence, source)| absence.violations(source))
        .collect();
    assert!(
        found.is_empty(),
        "{} places break the architecture:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// `iceberg::` is a crate and a module of ours, so the word alone tells nothing.
#[test]
fn only_the_iceberg_folder_names_the_iceberg_crate() {
    for source in files(".rs")
        .iter()
        .filter(|source| PRODUCT.iter().any(|folder| source.path.starts_with(folder)))
    {
        if source.path.starts_with("core/src/iceberg/") || source.is_test() {
            continue;
        }
        for (number, line) in source.product_code().lines().enumerate() {
            let outside = line
                .replace("crate::iceberg::", "")
                .replace("super::iceberg::", "")
                .replace("self::iceberg::", "");
            let is_named = word_at(&outside, "iceberg::").is_some();
            assert!(
                !is_named,
                "{}:{}: only core/src/iceberg names the iceberg crate",
                source.path,
                number + 1
            );
        }
    }
}

#[test]
fn a_violation_is_found() {
    let source = Source {
        path: "core/src/sqlite/x.rs".into(),
        text: "use crate::store::Bucket; // Key\n".into(),
    };
    let found: Vec<String> = ABSENCES
        .iter()
        .filter(|absence| absence.binds(&source))
        .flat_map(|absence| absence.violations(&source))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
}
