//! The loop that all Rust peers share. Each line on standard input is a request of words separated by tabs. The answer
//! is one line on standard output: a number, or `!` and an error message.

use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub type Answer = Result<f64, Box<dyn Error>>;

/// Answers requests until standard input ends.
pub fn serve(mut answer: impl FnMut(&[&str]) -> Answer) {
    for line in std::io::stdin().lines() {
        let line = line.expect("a question");
        let words: Vec<&str> = line.split('\t').collect();
        match answer(&words) {
            Ok(number) => println!("{number:.9}"),
            Err(error) => println!("! {}", error.to_string().replace('\n', " ")),
        }
        std::io::stdout().flush().expect("somebody listens");
    }
}

/// Seconds that `work` takes. Freeing its result is not included.
pub fn seconds<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Answer {
    let start = Instant::now();
    let made = work()?;
    let elapsed = start.elapsed().as_secs_f64();
    drop(made);
    Ok(elapsed)
}

/// Seconds to read the files that are the lines of a list, each once: one after the other, or on all threads.
#[allow(dead_code, reason = "not every peer has it")]
pub fn many<T>(
    how: &str,
    list: &str,
    read: impl Fn(&str) -> Result<T, Box<dyn Error>> + Sync,
) -> Answer {
    let text = std::fs::read_to_string(list)?;
    let paths: Vec<&str> = text.lines().collect();
    let threads = match how {
        "one" => 1,
        _ => std::thread::available_parallelism()?.get(),
    };
    let next = AtomicUsize::new(0);
    let reader = || -> Result<(), String> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            read(path).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    seconds(|| {
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..threads).map(|_| scope.spawn(reader)).collect();
            let done = readers.into_iter().map(|reader| reader.join().expect("no panic"));
            done.collect::<Result<Vec<()>, String>>()
        })
        .map_err(Into::into)
    })
}

/// The error for an unknown request.
pub fn unknown(words: &[&str]) -> Answer {
    Err(format!("no such work: {words:?}").into())
}
