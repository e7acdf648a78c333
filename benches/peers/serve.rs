//! The loop that all Rust peers share. Each line on standard input is a request of words separated by tabs. The answer
//! is one line on standard output: a number, or `!` and an error message.

use std::error::Error;
use std::io::Write;
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

/// The error for an unknown request.
pub fn unknown(words: &[&str]) -> Answer {
    Err(format!("no such work: {words:?}").into())
}
