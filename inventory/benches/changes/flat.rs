//! Whether the time for a change stays flat as the past grows.

use std::time::Duration;

use crate::{CREWS, crew::Crew, name, past::Past};

/// How long one turn takes, about.
const TURN: Duration = Duration::from_millis(40);

/// The most that the time for a change may grow.
const FLAT: f64 = 1.2;

/// Prints changes per second, and each time for a change as a ratio to that of
/// the shortest past. The pasts take turns, so many rounds, and each ratio is
/// of two turns of the same round; what is printed is the median.
pub fn report(pasts: &[Past], rounds: usize) {
    println!("changes per second by past orders; time for a change, as a ratio to the first");
    for (processes, callers) in CREWS {
        let mut crews: Vec<_> = pasts
            .iter()
            .map(|past| Crew::hire(&past.path, processes))
            .collect();
        let changes = changes_in_a_turn(&mut crews[0], callers);
        let mut turns = vec![Vec::with_capacity(rounds); pasts.len()];
        for round in 0..rounds {
            for turn in 0..pasts.len() {
                // Nobody is always the one after the same other.
                let past = (round + turn) % pasts.len();
                let time = crews[past].make(callers, changes).as_secs_f64();
                turns[past].push(time / changes as f64);
            }
        }
        print!("{:<26}", name((processes, callers)));
        for (past, times) in pasts.iter().zip(&turns) {
            let rate = 1.0 / median(times.clone());
            let ratios = times
                .iter()
                .zip(&turns[0])
                .map(|(time, first)| time / first);
            let ratio = median(ratios.collect());
            let verdict = if ratio <= FLAT { "" } else { " (not flat)" };
            print!("  {}: {rate:.0}/s, {ratio:.2}{verdict}", past.orders);
        }
        println!();
    }
}

fn changes_in_a_turn(crew: &mut Crew, callers: u64) -> u64 {
    let mut changes = 2 * callers;
    loop {
        let time = crew.make(callers, changes);
        if time >= TURN / 2 {
            let times = TURN.as_secs_f64() / time.as_secs_f64();
            return (changes as f64 * times).ceil().max(callers as f64) as u64;
        }
        changes *= 2;
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
