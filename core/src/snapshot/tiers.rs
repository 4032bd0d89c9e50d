//! Decides which files a snapshot merges, so that few files remain and no row is rewritten too
//! often.

/// Maximum number of data files before some are merged.
pub(super) const DATA_FILES_MAX: usize = 8;
/// Maximum number of delete files of one data file before some are merged.
pub(super) const DELETE_FILES_MAX: usize = 4;

/// A file that may be merged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) bytes: u64,
    pub(super) rows: u64,
    /// Number of deleted rows.
    pub(super) dead: u64,
}

impl Candidate {
    /// Whether so many rows are deleted that the file should be rewritten: 30 in 100.
    fn is_stale(self) -> bool {
        self.dead * 10 >= self.rows * 3
    }

    fn live_bytes(self) -> u64 {
        self.bytes - self.bytes / self.rows.max(1) * self.dead.min(self.rows)
    }
}

/// Chooses which of `files` are merged into the new file of a snapshot, which has about `incoming`
/// bytes of its own.
///
/// Stale files are always merged. With at least half of `files_max` files, the smallest ones are
/// merged too, in order of size, while the next is at most twice as large as all before it
/// together, and in any case until at most `files_max` remain, including the new one. So a row is
/// rewritten only when the file that holds it grows by half, about nine times in ten thousand
/// snapshots of one row. Files of almost `full` bytes are not merged.
pub(super) fn choose(files: &[Candidate], incoming: u64, files_max: usize, full: u64) -> Vec<bool> {
    let mut chosen: Vec<bool> = files.iter().map(|file| file.is_stale()).collect();
    let mut small: Vec<usize> =
        (0..files.len()).filter(|at| !chosen[*at] && files[*at].bytes < full / 2).collect();
    if small.len() < files_max / 2 {
        return chosen;
    }
    small.sort_by_key(|at| files[*at].live_bytes());
    let mut together = incoming;
    for (merged, at) in small.iter().enumerate() {
        let left = small.len() - merged + 1;
        if left <= files_max && files[*at].live_bytes() > 2 * together {
            break;
        }
        chosen[*at] = true;
        together += files[*at].live_bytes();
    }
    chosen
}

/// Chooses further files to merge, so that a snapshot with deleted rows in several of `files` writes
/// few delete files: of the files that are `touched`, only the largest gets one, and those that cost
/// more to write again.
pub(super) fn spare_deletes(files: &[Candidate], touched: &[bool], chosen: &mut [bool]) {
    let mut left: Vec<usize> = (0..files.len()).filter(|at| touched[*at] && !chosen[*at]).collect();
    left.sort_by_key(|at| std::cmp::Reverse(files[*at].bytes));
    for at in left.into_iter().skip(1) {
        chosen[at] = files[at].bytes <= SPARE_BYTES_MAX;
    }
}

/// Maximum size of a data file that is written again so that it needs no delete file, in bytes.
const SPARE_BYTES_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64) -> Candidate {
        Candidate { bytes, rows: bytes / 10, dead: 0 }
    }

    #[test]
    fn a_large_file_is_not_written_again_for_small_ones() {
        let mut files = vec![file(1_000_000)];
        files.extend([file(1000); 7]);
        let chosen = choose(&files, 1000, DATA_FILES_MAX, 1 << 40);
        assert!(!chosen[0] && chosen[1..].iter().all(|chosen| *chosen), "{chosen:?}");
    }

    #[test]
    fn few_files_are_left_alone_and_stale_ones_never() {
        assert_eq!(choose(&[file(100), file(100)], 10, DATA_FILES_MAX, 1 << 40), [false, false]);
        let stale = Candidate { dead: 3, ..file(100) };
        assert_eq!(choose(&[file(100), stale], 10, DATA_FILES_MAX, 1 << 40), [false, true]);
    }

    #[test]
    fn of_the_files_with_deleted_rows_the_small_ones_are_written_again() {
        let files = [file(100), file(1000), file(200_000), file(300_000), file(50)];
        let mut chosen = [false; 5];
        spare_deletes(&files, &[true, true, true, true, false], &mut chosen);
        assert_eq!(chosen, [true, true, false, false, false]);
        let mut alone = [false; 5];
        spare_deletes(&files, &[true, false, false, false, false], &mut alone);
        assert_eq!(alone, [false; 5], "one delete file is cheaper");
    }

    #[test]
    fn many_snapshots_write_each_byte_a_few_times_only() {
        let (mut files, mut written) = (Vec::new(), 0);
        for _ in 0..10_000 {
            let chosen = choose(&files, 100, DATA_FILES_MAX, u64::MAX);
            let merged: u64 = files
                .iter()
                .zip(&chosen)
                .filter(|(_, chosen)| **chosen)
                .map(|(file, _): (&Candidate, _)| file.bytes)
                .sum();
            let mut keep = chosen.iter().map(|chosen| !chosen);
            files.retain(|_| keep.next().expect("one choice a file"));
            files.push(file(merged + 100));
            written += merged + 100;
            assert!(files.len() <= DATA_FILES_MAX);
        }
        assert!(
            written / (10_000 * 100) < 9,
            "wrote every byte {} times",
            written / (10_000 * 100)
        );
    }
}
