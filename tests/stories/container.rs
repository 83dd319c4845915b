//! The container: the program with nothing around it but its image, read-only, as nobody, without a right.

use crate::harness::{Balancer, Fleet, Image, Rights};

#[test]
fn in_its_image_it_redirects_and_is_healthy() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let image = Image::new();
    let balancer = Balancer::in_a_container(&image, &fleet);

    let redirects = balancer.tune_in_times(20, "/live.mp3");
    assert_eq!(fleet.shares(&redirects), [10, 10]);

    let mut healthcheck = image.program();
    healthcheck.arg("healthcheck");
    healthcheck.env("BALANCER__ADMIN__BIND", balancer.admin().to_string());
    healthcheck.env("ICECAST_RELAYS", fleet.names().join(","));
    let healthy = healthcheck.output().unwrap();
    assert!(healthy.status.success(), "{healthy:?}");
    assert_eq!(healthy.stdout, b"ready\n");

    drop(balancer);
    let dead = healthcheck.output().unwrap();
    assert_eq!(dead.status.code(), Some(1), "{dead:?}");
}

#[test]
fn in_its_image_it_has_no_right_and_writes_nowhere() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let image = Image::new();
    let balancer = Balancer::in_a_container(&image, &fleet);

    let rights = Rights::of(balancer.process().id());

    assert_eq!(rights.say("Name:"), "icecast-balance");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(rights.say(set), "0000000000000000", "{set}");
    }
    assert_eq!(rights.say("NoNewPrivs:"), "1");
    assert!(rights.are_read_only(), "{rights:?}");
}
