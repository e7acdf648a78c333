//! The loop that all peers in Rust share: one question a line on standard input, words apart by tabs; one answer a line
//! on standard output, a number, or `!` and what went wrong.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

pub type Answer = Result<f64, Box<dyn Error>>;

/// Answers until standard input ends.
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

/// Seconds until `work` has made its result, which is freed outside the time.
pub fn seconds<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Answer {
    let start = Instant::now();
    let made = work()?;
    let took = start.elapsed().as_secs_f64();
    drop(made);
    Ok(took)
}

/// What a peer says to a question that it has no answer to.
pub fn unknown(words: &[&str]) -> Answer {
    Err(format!("no such work: {words:?}").into())
}
