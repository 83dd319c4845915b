//! The race: attempts at several addresses of one host, each begun a little after the one before, of which the first that
//! succeeds counts (RFC 8305, "happy eyeballs").
//!
//! In: addresses in their order, an attempt at one address. Out: the result of the fastest. It reports each address that
//! failed, or that was overtaken after a head start, and drops the attempts that are still under way.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

/// The recommended delay of RFC 8305, section 5, until the next address is tried beside those before it.
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// One address and how long it is alone before the next is tried beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrant {
    /// The address.
    pub address: SocketAddr,
    /// The delay until the next one begins; a failure ends it at once.
    pub head_start: Duration,
}

/// Reason for a race without a winner.
#[derive(Debug, PartialEq, Eq)]
pub enum NoWinner<E> {
    /// The deadline passed.
    TimedOut,
    /// Every attempt failed; their errors in the order in which they came.
    Failed(Vec<E>),
}

/// Tries the addresses until one attempt succeeds; calls `on_failure` for each address that gave no answer.
///
/// # Errors
/// Every attempt failed, or none succeeded before the deadline.
pub async fn race<T, E, F>(
    entrants: &[Entrant],
    deadline: Instant,
    attempt: impl Fn(SocketAddr) -> F,
    on_failure: impl Fn(SocketAddr),
) -> Result<(SocketAddr, T), NoWinner<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = entrants.iter();
    let mut running = FuturesUnordered::new();
    // The addresses under way and when each began, in that order.
    let mut begun: Vec<(SocketAddr, Instant)> = Vec::new();
    let mut errors = Vec::new();
    let mut has_more = true;
    let mut begin_next = pin!(sleep_until(Instant::now()));
    let mut over = pin!(sleep_until(deadline));
    loop {
        if !has_more && running.is_empty() {
            return Err(NoWinner::Failed(errors));
        }
        tokio::select! {
            biased;
            Some((address, outcome)) = running.next() => {
                let place = begun.iter().position(|(other, _)| *other == address);
                let place = place.unwrap_or(begun.len());
                match outcome {
                    Ok(won) => {
                        let now = Instant::now();
                        let overtaken = |(_, began): &&(SocketAddr, Instant)| now - *began >= ATTEMPT_DELAY;
                        let earlier = begun.iter().take(place).filter(overtaken);
                        earlier.for_each(|(address, _)| on_failure(*address));
                        return Ok((address, won));
                    }
                    Err(error) => {
                        if place < begun.len() {
                            begun.remove(place);
                        }
                        errors.push(error);
                        on_failure(address);
                        begin_next.as_mut().reset(Instant::now());
                    }
                }
            }
            () = &mut over => {
                begun.iter().for_each(|(address, _)| on_failure(*address));
                return Err(NoWinner::TimedOut);
            }
            () = &mut begin_next, if has_more => match waiting.next() {
                Some(Entrant { address, head_start }) => {
                    let now = Instant::now();
                    let outcome = attempt(*address);
                    running.push(async move { (*address, outcome.await) });
                    begun.push((*address, now));
                    begin_next.as_mut().reset(now + *head_start);
                }
                None => has_more = false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::*;

    const LONG: Duration = Duration::from_secs(2);

    /// Result of an attempt after a time; `None` never ends.
    type Course = Option<(u64, Result<u8, &'static str>)>;

    struct Outcome {
        result: Result<(SocketAddr, u8), NoWinner<&'static str>>,
        failed: Vec<SocketAddr>,
        tried: Vec<SocketAddr>,
        took: Duration,
    }

    fn nth(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 8000))
    }

    /// Races 10.0.0.1, 10.0.0.2 and so on, which take these courses.
    async fn raced(courses: &[Course]) -> Outcome {
        let addresses: Vec<_> = (1..).map(nth).take(courses.len()).collect();
        let courses_of: HashMap<_, _> = addresses
            .iter()
            .copied()
            .zip(courses.iter().copied())
            .collect();
        let entrants: Vec<_> = addresses
            .iter()
            .map(|address| Entrant {
                address: *address,
                head_start: ATTEMPT_DELAY,
            })
            .collect();
        let (tried, failed) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let began = Instant::now();
        let attempt = |address| {
            tried.borrow_mut().push(address);
            let course = courses_of[&address];
            async move {
                let Some((millis, result)) = course else {
                    return std::future::pending().await;
                };
                tokio::time::sleep(Duration::from_millis(millis)).await;
                result
            }
        };
        let fail = |address| failed.borrow_mut().push(address);
        let result = race(&entrants, began + LONG, attempt, fail).await;
        Outcome {
            result,
            took: began.elapsed(),
            failed: failed.into_inner(),
            tried: tried.into_inner(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn first_address_that_answers_is_the_only_one_tried() {
        let outcome = raced(&[Some((200, Ok(1))), Some((0, Ok(2)))]).await;
        assert_eq!(outcome.result, Ok((nth(1), 1)));
        assert_eq!(outcome.tried, [nth(1)]);
        assert!(outcome.failed.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn address_that_refuses_is_passed_over_at_once() {
        let outcome = raced(&[Some((1, Err("refused"))), Some((10, Ok(2)))]).await;
        assert_eq!(outcome.result, Ok((nth(2), 2)));
        assert_eq!(outcome.failed, [nth(1)]);
        assert!(outcome.took < ATTEMPT_DELAY, "{:?}", outcome.took);
    }

    #[tokio::test(start_paused = true)]
    async fn silent_addresses_cost_the_attempt_delay_each() {
        let outcome = raced(&[None, None, Some((10, Ok(3)))]).await;
        assert_eq!(outcome.result, Ok((nth(3), 3)));
        assert_eq!(outcome.failed, [nth(1), nth(2)]);
        assert!(
            outcome.took < Duration::from_millis(600),
            "{:?}",
            outcome.took
        );
    }

    #[tokio::test(start_paused = true)]
    async fn slow_address_wins_when_the_next_is_slower() {
        let outcome = raced(&[Some((600, Ok(1))), Some((900, Ok(2)))]).await;
        assert_eq!(outcome.result, Ok((nth(1), 1)));
        assert_eq!(outcome.tried, [nth(1), nth(2)]);
        assert!(outcome.failed.is_empty(), "a later one says nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn every_error_is_returned_when_every_address_fails() {
        let outcome = raced(&[Some((300, Err("reset"))), Some((1, Err("refused")))]).await;
        let errors = NoWinner::Failed(vec!["refused", "reset"]);
        assert_eq!(outcome.result, Err(errors));
        assert_eq!(outcome.failed, [nth(2), nth(1)]);
        assert_eq!(raced(&[]).await.result, Err(NoWinner::Failed(Vec::new())));
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_ends_a_race_that_no_address_wins() {
        let outcome = raced(&[None, Some((5, Err("refused"))), None]).await;
        assert_eq!(outcome.result, Err(NoWinner::TimedOut));
        assert_eq!(outcome.failed, [nth(2), nth(1), nth(3)]);
        assert_eq!(outcome.took, LONG);
    }
}
