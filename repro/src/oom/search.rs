//! How large a configuration survives a reload: looked for between one that does and one that
//! doesn't, each really tried.

/// The bracket is narrow enough at this share of the number.
const WITHIN: f64 = 0.01;

/// Halves the bracket until it is narrow; `tried` says whether so many survive. Gives the greatest
/// that did and the smallest that didn't, which is `None` when `most` survives.
///
/// It begins close round `guess`, and goes further out until both ends are true.
///
/// # Errors
///
/// The first one of `tried`.
pub(super) fn greatest_that_survives<E>(
    guess: u64,
    most: u64,
    mut tried: impl FnMut(u64) -> Result<bool, E>,
) -> Result<(u64, Option<u64>), E> {
    let near = |share: f64| ((guess as f64 * share) as u64).clamp(1, most);
    let (mut survives, mut fails) = (0, None);
    let mut step = (guess / 32).max(1);
    let mut next = near(0.97);
    // Up or down from the guess until both ends are known; 0 locations always survive.
    while fails.is_none() || survives == 0 {
        if tried(next)? {
            survives = next;
            if next == most {
                return Ok((most, None));
            }
            if fails.is_some() {
                break;
            }
            next = next.saturating_add(step).min(most);
        } else {
            fails = Some(next);
            if next == 1 || survives > 0 {
                break;
            }
            next = next.saturating_sub(step).max(1);
        }
        step *= 2;
    }
    let mut fails = fails.unwrap_or(most);
    while (fails - survives) as f64 > (WITHIN * fails as f64).max(1.0) {
        let middle = survives + (fails - survives) / 2;
        if tried(middle)? {
            survives = middle;
        } else {
            fails = middle;
        }
    }
    Ok((survives, Some(fails)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn search(guess: u64, most: u64, truth: u64) -> (u64, Option<u64>, usize) {
        let mut tries = Vec::new();
        let Ok((survives, fails)) = greatest_that_survives(guess, most, |locations| {
            tries.push(locations);
            Ok::<_, Infallible>(locations <= truth)
        });
        if survives > 0 {
            assert!(tries.contains(&survives), "tried at the lower end");
        }
        assert!(fails.is_none_or(|fails| tries.contains(&fails)));
        (survives, fails, tries.len())
    }

    #[test]
    fn it_finds_the_border_from_any_guess() {
        for truth in [1, 2, 30, 143, 150, 151, 1000] {
            for guess in [1, 3, 25, 149, 160, 900, 4000] {
                let (survives, fails, tries) = search(guess, 4000, truth);
                let fails = fails.unwrap();
                assert!(survives <= truth && truth < fails, "{truth} from {guess}");
                assert!((fails - survives) as f64 <= (0.01 * fails as f64).max(1.0));
                assert!(tries < 25, "{tries} tries for {truth} from {guess}");
            }
        }
    }

    #[test]
    fn a_good_guess_takes_few_tries() {
        let (_, _, tries) = search(147, 4000, 146);
        assert!(tries <= 6, "{tries}");
    }

    #[test]
    fn all_or_none_may_survive() {
        assert_eq!(search(4000, 4000, 5000).1, None);
        assert_eq!(search(4000, 4000, 5000).0, 4000);
        let (survives, fails, _) = search(10, 100, 0);
        assert_eq!((survives, fails), (0, Some(1)));
    }
}
