mod giving_way;

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;

fn budget(connections: usize, per_address: usize, listeners_per_address: usize) -> Arc<Budget> {
    let exempt = vec!["192.0.2.0/24".parse().unwrap()];
    Arc::new(Budget::new(Limits {
        connections: Some(connections),
        connections_per_address: per_address,
        listeners_per_address,
        exempt,
        exempt_by_name: Vec::new(),
    }))
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn refused(budget: &Budget) -> [u64; 3] {
    budget.refused().map(|(_, count)| count)
}

/// Nobody is there, and nobody is remembered.
fn assert_empty(budget: &Budget) {
    assert_eq!(budget.connections(), 0);
    assert!(budget.counts().is_empty());
}

#[test]
fn the_total_holds_for_everybody() {
    let budget = budget(3, 2, 2);
    let addresses = [ip("198.51.100.1"), ip("192.0.2.1"), None];
    let passes: Vec<Pass> = addresses.map(|it| budget.admit(it).unwrap()).into();
    for address in addresses {
        assert_eq!(budget.admit(address).unwrap_err(), Over::Total);
    }
    assert_eq!(budget.connections(), 3);
    assert_eq!(
        budget.refused(),
        [("total", 3), ("address", 0), ("listeners", 0)]
    );
    drop(passes);
    assert_empty(&budget);
    drop(budget.admit(None).unwrap());
}

#[test]
fn an_address_has_its_share_and_no_more() {
    let budget = budget(100, 2, 1);
    let mut passes: Vec<Pass> = (0..2)
        .map(|_| budget.admit(ip("198.51.100.1")).unwrap())
        .collect();
    assert_eq!(budget.admit(ip("198.51.100.1")).unwrap_err(), Over::Address);
    assert_eq!(budget.connections(), 2, "who is refused does not count");
    let _neighbour = budget.admit(ip("198.51.100.2")).unwrap();
    passes.pop();
    let _again = budget.admit(ip("198.51.100.1")).unwrap();
    assert_eq!(refused(&budget), [0, 1, 0]);
}

#[test]
fn an_ipv6_network_of_64_bits_is_one_address() {
    let budget = budget(100, 1, 1);
    let _pass = budget.admit(ip("2001:db8:0:1::1")).unwrap();
    let again = budget.admit(ip("2001:db8:0:1:ffff::2"));
    assert_eq!(again.unwrap_err(), Over::Address);
    let _neighbour = budget.admit(ip("2001:db8:0:2::1")).unwrap();
}

#[test]
fn an_ipv4_address_in_ipv6_is_that_address() {
    let budget = budget(100, 1, 1);
    let _pass = budget.admit(ip("::ffff:198.51.100.1")).unwrap();
    let same = budget.admit(ip("198.51.100.1"));
    assert_eq!(same.unwrap_err(), Over::Address);
    let _other = budget.admit(ip("::ffff:198.51.100.2")).unwrap();
    let _exempt = [(); 3].map(|()| budget.admit(ip("::ffff:192.0.2.1")).unwrap());
}

#[test]
fn who_is_exempt_counts_in_the_total_only() {
    let budget = budget(100, 1, 1);
    for address in [ip("192.0.2.7"), None] {
        let passes = [(); 3].map(|()| budget.admit(address).unwrap());
        assert_eq!(budget.connections(), 3);
        let seatings = [(); 3].map(|()| passes[0].listen(None).unwrap());
        assert!(budget.counts().addresses.is_empty());
        drop((passes, seatings));
        assert_empty(&budget);
    }
}

#[test]
fn an_address_hears_so_many_streams() {
    let budget = budget(100, 10, 2);
    let [a, b, c] = [(); 3].map(|()| budget.admit(ip("198.51.100.1")).unwrap());
    let first = a.listen(None).unwrap();
    let _second = b.listen(None).unwrap();
    assert_eq!(c.listen(None).unwrap_err(), TooManyListeners);
    let neighbour = budget.admit(ip("198.51.100.2")).unwrap();
    let _third = neighbour.listen(None).unwrap();
    drop(first);
    let _again = c.listen(None).unwrap();
    assert_eq!(refused(&budget), [0, 0, 1]);
}

#[test]
fn a_seating_outlives_its_pass() {
    let budget = budget(100, 1, 1);
    let pass = budget.admit(ip("198.51.100.1")).unwrap();
    let seating = pass.listen(None).unwrap();
    drop(pass);
    assert_eq!(budget.connections(), 0);
    let pass = budget.admit(ip("198.51.100.1")).unwrap();
    assert_eq!(pass.listen(None).unwrap_err(), TooManyListeners);
    drop(seating);
    drop(pass.listen(None).unwrap());
    drop(pass);
    assert_empty(&budget);
}

#[test]
fn behind_a_proxy_the_told_address_counts() {
    let budget = budget(100, 1, 1);
    let proxy = || budget.admit(ip("192.0.2.1")).unwrap();
    let told = ip("198.51.100.1").unwrap();
    let pass = proxy().on_behalf_of(told).unwrap();
    assert_eq!(budget.admit(Some(told)).unwrap_err(), Over::Address);
    assert_eq!(proxy().on_behalf_of(told).unwrap_err(), Over::Address);
    assert_eq!(budget.connections(), 1);
    let pass = pass.on_behalf_of("2001:db8::1".parse().unwrap()).unwrap();
    drop(budget.admit(Some(told)).unwrap());
    let seating = pass.listen(None).unwrap();
    drop(pass);
    drop(seating);
    assert_empty(&budget);
    assert_eq!(refused(&budget), [0, 2, 0]);
}

#[test]
fn guards_go_to_other_tasks() {
    fn assert_movable<T: Send + Sync + 'static>() {}
    assert_movable::<Pass>();
    assert_movable::<Seating>();
}

#[test]
fn many_threads_never_exceed_the_limits() {
    const THREADS: usize = 8;
    let budget = budget(5, 3, 2);
    let start = Barrier::new(THREADS);
    let admitted: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let (budget, start) = (&budget, &start);
                    move || come_and_go(budget, start, thread)
                })
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert!(admitted > 0);
    assert_eq!(
        admitted + refused(&budget)[..2].iter().sum::<u64>(),
        THREADS as u64 * ROUNDS
    );
    assert_empty(&budget);
}

const ROUNDS: u64 = 5_000;

fn come_and_go(budget: &Arc<Budget>, start: &Barrier, thread: usize) -> u64 {
    let address = [ip("198.51.100.1"), ip("2001:db8::1"), None][thread % 3];
    let mut admitted = 0;
    start.wait();
    for _ in 0..ROUNDS {
        let Ok(pass) = budget.admit(address) else {
            thread::yield_now();
            continue;
        };
        let _seating = pass.listen(None);
        admitted += 1;
        let counts = budget.counts();
        assert!(counts.connections <= 5);
        for count in counts.addresses.values() {
            assert!(count.connections <= 3 && count.listeners <= 2);
        }
    }
    admitted
}

/// What may happen next. Numbers choose among the guards that are there.
#[derive(Debug, Clone)]
enum Step {
    Come(Option<IpAddr>),
    Go(usize),
    Tell(usize, IpAddr),
    Listen(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let addresses = [
        ip("198.51.100.1"),
        ip("::ffff:198.51.100.1"),
        ip("2001:db8::1"),
        ip("2001:db8::2"),
        ip("192.0.2.1"),
        None,
    ];
    let told: Vec<IpAddr> = addresses.into_iter().flatten().collect();
    prop_oneof![
        3 => prop::sample::select(addresses.to_vec()).prop_map(Step::Come),
        2 => any::<usize>().prop_map(Step::Go),
        1 => (any::<usize>(), prop::sample::select(told)).prop_map(|(it, ip)| Step::Tell(it, ip)),
        3 => any::<usize>().prop_map(Step::Listen),
        1 => any::<usize>().prop_map(Step::Leave),
    ]
}

/// Number of guards of each client, counted anew.
fn tally<'a>(clients: impl Iterator<Item = &'a Option<ClientPrefix>>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for client in clients.flatten() {
        *tally.entry(format!("{client:?}")).or_default() += 1;
    }
    tally
}

proptest! {
    #[test]
    fn counts_are_what_is_there(
        steps in prop::collection::vec(step(), 0..200),
        connections in 0..12_usize,
        per_address in 0..5_usize,
        listeners in 0..4_usize,
    ) {
        let budget = budget(connections, per_address, listeners);
        let (mut passes, mut seatings) = (Vec::<Pass>::new(), Vec::<Seating>::new());
        let mut refusals = 0;
        for step in steps {
            match step {
                Step::Come(address) => match budget.admit(address) {
                    Ok(pass) => passes.push(pass),
                    Err(_) => refusals += 1,
                },
                Step::Go(which) if !passes.is_empty() => {
                    drop(passes.swap_remove(which % passes.len()));
                }
                Step::Tell(which, address) if !passes.is_empty() => {
                    match passes.swap_remove(which % passes.len()).on_behalf_of(address) {
                        Ok(pass) => passes.push(pass),
                        Err(_) => refusals += 1,
                    }
                }
                Step::Listen(which) if !passes.is_empty() => {
                    match passes[which % passes.len()].listen(None) {
                        Ok(seating) => seatings.push(seating),
                        Err(TooManyListeners) => refusals += 1,
                    }
                }
                Step::Leave(which) if !seatings.is_empty() => {
                    drop(seatings.swap_remove(which % seatings.len()));
                }
                _ => {}
            }
            let came = tally(passes.iter().map(|it| &it.client));
            let hear = tally(seatings.iter().map(|it| &it.client));
            prop_assert_eq!(budget.connections(), passes.len());
            prop_assert!(passes.len() <= connections);
            prop_assert!(came.values().all(|it| *it <= per_address));
            prop_assert!(hear.values().all(|it| *it <= listeners));
            for (client, count) in &budget.counts().addresses {
                let client = format!("{client:?}");
                let is_there = |tally: &BTreeMap<_, _>| tally.get(&client).copied();
                prop_assert_eq!(count.connections, is_there(&came).unwrap_or(0));
                prop_assert_eq!(count.listeners, is_there(&hear).unwrap_or(0));
                prop_assert!(count.connections + count.listeners > 0);
            }
            prop_assert_eq!(refused(&budget).iter().sum::<u64>(), refusals);
        }
        drop(passes);
        drop(seatings);
        assert_empty(&budget);
    }
}
