//! Who gives way when all places are taken.

use std::future::{pending, ready};

use super::*;

#[tokio::test]
async fn who_came_first_and_said_nothing_gives_way() {
    let budget = budget(2, 2, 2);
    let [first, second] = [(); 2].map(|()| budget.admit(None).unwrap());
    let (older, younger) = (first.place().clone(), second.place().clone());
    // Whoever rests first: the age counts.
    let younger = tokio::spawn(async move { younger.rest_during(pending::<()>()).await });
    tokio::task::yield_now().await;
    let older = tokio::spawn(async move { older.rest_during(pending::<()>()).await });
    tokio::task::yield_now().await;

    let third = budget.admit(None).unwrap();

    assert_eq!(older.await.unwrap(), None);
    assert!(!younger.is_finished());
    assert_eq!((budget.let_go(), refused(&budget)), (1, [0; 3]));
    // The first is not gone yet: its place is taken all the same, and given away once only.
    let fourth = budget.admit(None).unwrap();
    assert_eq!(younger.await.unwrap(), None);
    assert_eq!(budget.admit(None).unwrap_err(), Over::Total);
    drop((first, second));
    assert_eq!(budget.connections(), 2);
    assert_eq!(budget.admit(None).unwrap_err(), Over::Total);
    drop((third, fourth));
    assert_empty(&budget);
}

#[tokio::test]
async fn who_is_served_gives_way_to_nobody() {
    let budget = budget(1, 1, 1);
    let pass = budget.admit(None).unwrap();
    assert_eq!(pass.place().rest_during(ready(7)).await, Some(7));
    let later = async {
        tokio::task::yield_now().await;
        8
    };
    assert_eq!(pass.place().rest_during(later).await, Some(8));
    drop(pass.place().rest());
    assert_eq!(budget.admit(None).unwrap_err(), Over::Total);
}

#[tokio::test]
async fn nobody_goes_for_who_is_not_let_in() {
    let budget = budget(2, 1, 1);
    let address = Some("198.51.100.1".parse().unwrap());
    let [busy, silent] = [address, None].map(|it| budget.admit(it).unwrap());
    let rest = silent.place().rest();
    assert_eq!(budget.admit(address).unwrap_err(), Over::Address);
    assert!(rest.end());
    drop(busy);
}

#[test]
fn a_listener_who_shares_a_connection_needs_a_place() {
    let budget = budget(2, 9, 9);
    let pass = budget.admit(Some("198.51.100.1".parse().unwrap())).unwrap();
    let seating = pass.listen_beside_others(None).unwrap();
    assert_eq!(budget.connections(), 2);
    assert_eq!(
        pass.listen_beside_others(None).unwrap_err(),
        TooManyListeners
    );
    drop(seating);
    assert_eq!(budget.connections(), 1);
    drop(pass);
    assert_empty(&budget);
}

#[tokio::test]
async fn a_place_is_given_away_once_only() {
    let budget = budget(1, 1, 1);
    let oldest = budget.admit(None).unwrap();
    let mut rest = oldest.place().rest();
    let second = budget.admit(None).unwrap();
    rest.called().await;
    assert!(!rest.end());
    // A farewell takes its time; whoever rests once more is to go all the same.
    let mut again = oldest.place().rest();
    assert_eq!(budget.admit(None).unwrap_err(), Over::Total);
    again.called().await;
    assert!(!again.end());
    drop((oldest, second));
    assert_empty(&budget);
}

#[test]
fn who_is_gone_has_no_place_to_give_away() {
    let budget = budget(1, 1, 1);
    let gone = budget.admit(None).unwrap();
    let place = gone.place().clone();
    let rest = place.rest();
    // As when a handshake fails: the pass goes with it, and then the rest.
    drop(gone);
    let next = budget.admit(None).unwrap();
    assert_eq!(budget.admit(None).unwrap_err(), Over::Total);
    drop((rest, next));
    assert_empty(&budget);
    drop(budget.admit(None).unwrap());
}

#[test]
fn nobody_goes_for_a_listener_who_is_not_seated() {
    let budget = budget(2, 9, 0);
    let pass = budget.admit(Some("198.51.100.1".parse().unwrap())).unwrap();
    let silent = budget.admit(None).unwrap();
    let rest = silent.place().rest();
    assert_eq!(
        pass.listen_beside_others(None).unwrap_err(),
        TooManyListeners
    );
    assert!(rest.end());
    assert_eq!(refused(&budget), [0, 0, 1]);
}
