//! What long intervals and names that do not resolve must not lead to.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use crate::harness::{Balancer, ConfigText, Fleet, eventually, seconds};

#[test]
fn a_relay_that_starts_late_does_not_wait_for_a_long_interval() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    fleet.relay(1).kill();
    let config = ConfigText::of(&fleet).polled("interval = \"5m\"\ntimeout = \"1s\"");
    let balancer = Balancer::with_config(&config);
    balancer.wait_for_the_interval();
    assert_eq!(balancer.tune_in("/live.mp3").status, 503);

    fleet.relay(1).restart();

    eventually(seconds(12), "it is asked again after 5 s", || {
        balancer.tune_in("/live.mp3").status == 307
    });
}

#[test]
fn a_name_that_does_not_resolve_hurts_nobody_but_its_relay() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let lost = "[[relay]]\nname = \"lost\"\nurl = \"http://no-such-relay.invalid:8000\"";
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_section(lost));

    let lost = balancer.admin_status().named("lost");

    assert_eq!(lost.health(), "down");
    assert!(lost.reason().contains("resolve"), "{}", lost.reason());
    assert_eq!(balancer.tune_in("/live.mp3").status, 307);
}

#[test]
fn a_relay_is_found_by_name_and_by_ipv6_address() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let page = fleet.relay(1).status_page();
    let six = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let port = six.local_addr().unwrap().port();
    // What localhost means is the machine's to say: IPv4, IPv6 or both.
    let four = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    for listener in [six, four] {
        let page = page.clone();
        std::thread::spawn(move || serve(&listener, &page));
    }
    let six = format!("[[relay]]\nname = \"six\"\nurl = \"http://[::1]:{port}\"");
    let named = format!("[[relay]]\nname = \"named\"\nurl = \"http://localhost:{port}\"");
    let config = ConfigText::of(&fleet)
        .with_section(&six)
        .with_section(&named);
    let balancer = Balancer::with_config(&config);

    for name in ["six", "named"] {
        eventually(seconds(3), "it is up", || {
            balancer.admin_status().named(name).health() == "up"
        });
    }
    let mut places: Vec<String> = (0..30)
        .map(|_| balancer.tune_in("/live.mp3").location().to_owned())
        .collect();
    places.sort_unstable();
    places.dedup();
    assert!(
        places.contains(&format!("http://[::1]:{port}/live.mp3")),
        "{places:?}"
    );
    assert!(
        places.contains(&format!("http://localhost:{port}/live.mp3")),
        "{places:?}"
    );
}

/// Gives a real relay's status page to everybody; ends with the test's process.
fn serve(listener: &TcpListener, page: &[u8]) {
    use std::io::{Read, Write};
    for socket in listener.incoming() {
        let Ok(mut socket) = socket else { continue };
        let mut request = [0; 2_048];
        // Whatever is asked, the answer is the page.
        let _ = socket.read(&mut request);
        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
        let _ = socket.write_all(&[head.as_bytes(), page].concat());
    }
}
