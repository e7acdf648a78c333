//! Random MGH files with all of a footer, a part of it, or none: `tests/oracle/footers.py` has what nibabel reads.

use voxload::DataobjImage;

use super::footers::{footer, numbers};
use crate::support::backend::Backend;
use crate::support::oracle::manifest;

const NAMES: [&str; 5] = ["tr", "flip_angle", "te", "ti", "fov"];

/// What a line of the list says of a file.
struct Expected {
    /// Bytes of the footer.
    bytes: usize,
    /// nibabel's numbers, which are 0 where the file ends before.
    numbers: Vec<f64>,
    /// The repetition time among the zooms of a series.
    time: Option<f64>,
    tags: Vec<(i32, Vec<u8>)>,
}

fn bits(text: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(text, 16).unwrap())
}

impl Expected {
    fn parse(line: &[String]) -> Self {
        let [_, bytes, numbers, time, tags] = line else {
            panic!("{line:?}");
        };
        let tag = |text: &str| {
            let (code, content) = text.split_once(':').unwrap();
            let pairs = (0..content.len()).step_by(2);
            let bytes = pairs.map(|at| u8::from_str_radix(&content[at..at + 2], 16).unwrap());
            (code.parse().unwrap(), bytes.collect())
        };
        Self {
            bytes: bytes.parse().unwrap(),
            numbers: numbers.split(' ').map(bits).collect(),
            time: (time != "-").then(|| bits(time)),
            tags: tags.split_whitespace().map(tag).collect(),
        }
    }

    /// What differs in an image whose footer has been read.
    fn differs(&self, image: &DataobjImage) -> Option<String> {
        let Some(footer) = footer(image) else {
            return Some("there is no footer".to_owned());
        };
        let found = numbers(footer);
        // A number that is not complete is absent, not 0.
        let is_there = |n: usize| self.bytes >= 4 * (n + 1);
        let right: Vec<Option<f64>> = (0..5)
            .map(|n| is_there(n).then(|| self.numbers[n]))
            .collect();
        let found: Vec<Option<f64>> = found.iter().map(|n| n.map(f64::from)).collect();
        let listed = image.header().fields.list();
        let listed = NAMES.map(|name| listed.iter().any(|(known, _)| known == name));
        let shown: Vec<bool> = right.iter().map(Option::is_some).collect();
        let tags: Vec<_> = footer
            .tags
            .iter()
            .map(|tag| (tag.code, tag.content.clone()))
            .collect();
        let time = image.header().zooms.get(3).copied();
        (found != right || listed[..] != shown || tags != self.tags || time != self.time).then(
            || {
                format!(
                    "{found:?} {listed:?} {tags:?} {time:?} instead of {right:?} {:?} {:?}",
                    self.tags, self.time
                )
            },
        )
    }
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn footers_of_random_files_are_nibabels() {
    let (folder, lines) = manifest("footers.txt");
    let backends = Backend::available("footers of random files");
    let mut failures = Vec::new();
    let [mut partial, mut absent] = [0; 2];
    for (n, line) in lines.iter().enumerate() {
        let expected = Expected::parse(line);
        let path = folder.join(&line[0]);
        let load = || voxload::load(&path).unwrap();
        let mut compare = |image: &DataobjImage, when: &str| {
            if let Some(differs) = expected.differs(image) {
                failures.push(format!("{} {when}: {differs}", line[0]));
            }
        };
        let image = load();
        // One frame of a gzipped file: its end is known only after all of it has been inflated.
        if line[0].ends_with(".mgz") && expected.time.is_none() {
            assert_eq!(footer(&image), None, "{}", line[0]);
            let listed = image.header().fields.list();
            assert!(
                !listed
                    .iter()
                    .any(|(name, _)| NAMES.contains(&name.as_str()))
            );
            absent += 1;
        } else {
            compare(&image, "when loaded");
        }
        let backend = backends[n % backends.len()];
        backend.read::<f32>(&image).unwrap();
        compare(&image, "after a whole read");
        let image = load();
        voxload::read_footer(&image).unwrap();
        compare(&image, "on demand");
        partial += usize::from((1..20).contains(&expected.bytes));
    }
    let first = failures[..failures.len().min(12)].join("\n");
    assert!(failures.is_empty(), "{} differ:\n{first}", failures.len());
    println!(
        "{} files, {partial} partial footers, {absent} absent when loaded",
        lines.len()
    );
    assert!(
        lines.len() >= 200 && partial >= 40 && absent >= 40,
        "{partial} {absent}"
    );
}

/// A wrong number, a number shown as 0, a wrong tag or time: each is found in every file that has one.
#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn the_comparison_of_footers_can_fail() {
    let (folder, lines) = manifest("footers.txt");
    for line in lines.iter().take(60) {
        let image = voxload::load(folder.join(&line[0])).unwrap();
        voxload::read_footer(&image).unwrap();
        let right = || Expected::parse(line);
        assert_eq!(right().differs(&image), None);
        let mut broken = vec![Expected {
            bytes: right().bytes ^ 4,
            ..right()
        }];
        if right().bytes >= 4 {
            broken.push(Expected {
                numbers: right().numbers.iter().map(|n| n + 1.0).collect(),
                ..right()
            });
        }
        broken.push(Expected {
            tags: [right().tags, vec![(3, vec![1])]].concat(),
            ..right()
        });
        broken.push(Expected {
            time: right().time.map_or(Some(0.0), |time| Some(time + 1.0)),
            ..right()
        });
        // Above the five numbers, fewer or more bytes are not seen.
        let skipped = usize::from(right().bytes >= 20);
        for broken in &broken[skipped..] {
            assert!(broken.differs(&image).is_some(), "{}", line[0]);
        }
    }
}
