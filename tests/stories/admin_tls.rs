//! The operator's address on TLS: who comes in, with which certificate, and the commands that ask there.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Instant;

use crate::harness::{
    Authority, ECDSA, Ended, Hostile, Manner, PairFiles, Secured, answers_to_bytes, client_of,
    curl, eventually, flags_of, own_address, seconds, text, wanting, words,
};

#[test]
fn the_operators_pages_are_on_tls_and_in_plain_http_is_nothing() {
    let secured = Secured::with("");
    let log = secured.balancer.said();
    let address = secured.balancer.admin();
    assert!(
        log.contains(&format!("admin on https://{address}:")),
        "{log}"
    );

    assert_eq!(secured.curl("/ready", &[]), (Some(0), "ready\n".to_owned()));
    let old = ["--tls-max", "1.2"];
    assert_eq!(secured.curl("/live", &old), (Some(0), "live\n".to_owned()));
    let metrics = secured.curl("/metrics", &[]).1;
    let name = address.ip();
    let shown = format!("certificate_not_after_seconds{{certificate=\"admin\",name=\"{name}\"}}");
    assert!(metrics.contains(&shown), "{metrics}");

    let plain = answers_to_bytes(address, b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!plain.contains("HTTP/"), "{plain}");
    let stranger = Authority::new();
    let url = format!("https://{address}/ready");
    let (code, said) = curl(&["--cacert", &text(&stranger.file()), &url]);
    // Which of both depends on how far OpenSSL comes with an authority of the same name.
    assert!(matches!(code, Some(35 | 60)), "{code:?}: {said}");
}

#[test]
fn the_commands_believe_the_configured_certificate_on_any_address() {
    let secured = Secured::showing_a_certificate_for("balancer.example", own_address(), "");
    let relay = secured.relay.address().to_string();
    let status = secured.command(&["status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.output.contains(&relay), "{status:?}");
    for order in ["drain", "maint", "ready"] {
        let ended = secured.command(&[order, &relay]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.output.contains(&format!("{relay}: {order} (")));
    }
    let healthy = secured.command(&["healthcheck"]);
    assert_eq!(
        (healthy.code, healthy.output.as_str()),
        (Some(0), "ready\n")
    );

    // Another certificate in the file than the one that is shown, in whatever name: nobody has the token then.
    let held = std::fs::read_to_string(secured.shown.path("cert.pem")).unwrap();
    let other = PairFiles::nowhere_yet();
    other.put(&secured.authority, &["balancer.example"], ECDSA);
    let text = std::fs::read_to_string(secured.balancer.config_file()).unwrap();
    let of = |pair: &PairFiles| {
        pair.path("cert.pem")
            .parent()
            .unwrap()
            .display()
            .to_string()
    };
    let file = other.path("elsewhere.toml");
    std::fs::write(&file, text.replace(&of(&secured.shown), &of(&other))).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let fooled = Ended::of(&[&["drain", &relay], &config[..]].concat());
    assert_eq!(fooled.code, Some(1), "{fooled:?}");
    assert!(fooled.errors.contains("not trusted"), "{fooled:?}");
    assert_eq!(
        std::fs::read_to_string(secured.shown.path("cert.pem")).unwrap(),
        held
    );
    assert!(secured.command(&["status"]).output.contains("1 of 1"));
}

#[test]
fn by_flags_the_authority_and_the_name_count() {
    let secured = Secured::with("");
    let relay = secured.relay.address().to_string();
    let ca = secured.authority.file();
    let ca = ["--ca-file", ca.to_str().unwrap()];
    let status = secured.command_by_flags(&[&["status"], &ca[..]].concat());
    assert_eq!(status.code, Some(0), "{status:?}");
    let token = ["--token-file", secured.token.path()];
    let drain = secured.command_by_flags(&[&["drain", &relay], &ca[..], &token].concat());
    assert_eq!(drain.code, Some(0), "{drain:?}");

    let system = secured.command_by_flags(&["status"]);
    let stranger = Authority::new();
    let file = text(&stranger.file());
    let stranger = secured.command_by_flags(&["status", "--ca-file", &file]);
    secured
        .shown
        .put(&secured.authority, &["elsewhere.example"], ECDSA);
    eventually(seconds(8), "the name does not fit any more", || {
        let ended = secured.command_by_flags(&[&["status"], &ca[..]].concat());
        ended.code == Some(1) && ended.errors.contains("not trusted")
    });
    for ended in [system, stranger] {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for word in ["not trusted", "--ca-file"] {
            assert!(ended.errors.contains(word), "{word} in {ended:?}");
        }
    }
}

#[test]
fn with_client_ca_only_its_clients_come_in() {
    let (own, stranger) = (Authority::new(), Authority::new());
    let (operator, other) = (client_of(&own), client_of(&stranger));
    let secured = Secured::with(&wanting(&own, &operator));
    let log = secured.balancer.said();
    assert!(log.contains("for clients with a certificate"), "{log}");
    let (operator, other) = (flags_of(&operator), flags_of(&other));
    for version in ["1.2", "1.3"] {
        let only = ["--tls-max", version];
        let asked = |flags: &[&str]| secured.curl("/status", &[flags, &only].concat());
        let (code, said) = asked(&words(&operator));
        assert_eq!(code, Some(0), "{version}: {said}");
        assert!(said.contains("\"relays\""), "{version}: {said}");
        for flags in [&[][..], &words(&other)] {
            let (code, said) = asked(flags);
            assert_ne!(code, Some(0), "{version}: {said}");
            assert!(!said.contains("relays"), "{version}: {said}");
        }
    }
    let told = secured
        .balancer
        .log_line_with("was not let in at the admin bind");
    assert!(told.is_some_and(|line| line.contains("127.0.0.1")));
}

#[test]
fn every_command_shows_its_certificate_and_says_when_one_is_wanted() {
    let own = Authority::new();
    let operator = client_of(&own);
    let secured = Secured::with(&wanting(&own, &operator));
    let relay = secured.relay.address().to_string();
    let ca = secured.authority.file();
    let ca = ["--ca-file", ca.to_str().unwrap()];
    let token = ["--token-file", secured.token.path()];
    let (drain, ready) = (["drain", &relay], ["ready", &relay]);
    let commands: [(&[&str], &[&str]); 4] = [
        (&["status"], &[]),
        (&["healthcheck"], &[]),
        (&drain, &token),
        (&ready, &token),
    ];
    let stranger = client_of(&Authority::new());
    let (known, stranger) = (flags_of(&operator), flags_of(&stranger));
    for (command, more) in commands {
        let by_config = secured.command(command);
        let flags = [command, more, &ca].concat();
        let by_flags = secured.command_by_flags(&[&flags[..], &words(&known)].concat());
        for ended in [by_config, by_flags] {
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        let unknown = secured.command_by_flags(&flags);
        assert!(
            unknown.errors.contains("--cert FILE and --key FILE"),
            "{unknown:?}"
        );
        assert!(unknown.errors.contains("admin.client_cert"), "{unknown:?}");
        let wrong = secured.command_by_flags(&[&flags[..], &words(&stranger)].concat());
        assert!(
            wrong.errors.contains("refused our certificate"),
            "{wrong:?}"
        );
        for ended in [unknown, wrong] {
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert_eq!(ended.errors.trim_end().lines().count(), 1, "{ended:?}");
        }
    }
}

#[test]
fn certificate_and_authority_are_exchanged_while_it_runs() {
    let (old, new) = (Authority::new(), Authority::new());
    let operator = client_of(&old);
    let believed = PairFiles::nowhere_yet();
    believed.put_text("ca.pem", &std::fs::read_to_string(old.file()).unwrap());
    let keys = wanting(&old, &operator);
    let keys = keys.replace(&text(&old.file()), &text(&believed.path("ca.pem")));
    let secured = Secured::with(&keys);
    let successor = client_of(&new);
    let (before, after) = (flags_of(&operator), flags_of(&successor));
    let asked = |flags: &[String; 4]| secured.curl("/live", &words(flags)).0;
    assert_eq!((asked(&before), asked(&after) == Some(0)), (Some(0), false));

    believed.put_text("ca.pem", &std::fs::read_to_string(new.file()).unwrap());
    eventually(seconds(8), "the new authority's clients come in", || {
        asked(&after) == Some(0)
    });
    assert_ne!(asked(&before), Some(0));
    believed.put_text("ca.pem", "nothing");
    let kept = || {
        secured
            .balancer
            .log_line_with("the authority of before counts on")
    };
    eventually(seconds(8), "the log tells of it", || kept().is_some());
    assert_eq!(asked(&after), Some(0));

    let address = secured.balancer.admin().ip().to_string();
    let names = [address.as_str(), "new.example"];
    secured.shown.put(&secured.authority, &names, ECDSA);
    eventually(seconds(8), "the new certificate is shown", || {
        let flags = [&words(&after)[..], &["--verbose"]].concat();
        let admin = secured.balancer.admin();
        let resolve = format!("new.example:{}:{}", admin.port(), admin.ip());
        let url = format!("https://new.example:{}/live", admin.port());
        let more = [&flags[..], &["--resolve", &resolve, &url]].concat();
        secured
            .curl("/live", &more)
            .1
            .contains("subjectAltName: host \"new.example\" matched")
    });
    secured.shown.put_text("key.pem", "no key");
    let kept = || {
        secured
            .balancer
            .log_line_with("the certificate of before is served on")
    };
    eventually(seconds(8), "the log tells of it", || kept().is_some());
    assert_eq!(asked(&after), Some(0));
}

#[test]
fn a_silent_crowd_keeps_no_operator_out_and_is_let_go() {
    let secured = Secured::with("");
    let began = Instant::now();
    let mut silent: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(secured.balancer.admin()).unwrap())
        .collect();
    for socket in &silent {
        socket.set_read_timeout(Some(seconds(15))).unwrap();
    }

    assert_eq!(secured.command(&["healthcheck"]).code, Some(0));
    let mut first = silent.remove(0);
    let mut last = silent.pop().unwrap();
    let ended = |socket: &mut TcpStream| socket.read(&mut [0]).unwrap_or(0) == 0;
    assert!(ended(&mut first), "it made room");
    assert!(began.elapsed() < seconds(9), "{:?}", began.elapsed());
    assert!(ended(&mut last));
    let time = began.elapsed();
    assert!(seconds(9) < time && time < seconds(13), "{time:?}");
}

#[test]
fn whoever_asks_in_the_wrong_way_is_told_the_right_one() {
    let secured = Secured::with("");
    let admin = secured.balancer.admin().to_string();
    let plain = Ended::of(&["status", "--admin", &admin]);
    assert!(plain.errors.contains("--admin https://"), "{plain:?}");

    let public = format!("https://{}", secured.balancer.address());
    let silent = Ended::of(&["status", "--admin", &public]);
    // A hello is random: with a line end in it, it is answered as a broken request.
    let is_told = ["perhaps without TLS", "speaks no TLS"].map(|why| silent.errors.contains(why));
    assert!(is_told.contains(&true), "{silent:?}");
    let garbage = Hostile::that_is(Manner::Garbage);
    let garbage = format!("https://{}", garbage.address());
    let secret = Ended::of(&["status", "--admin", &garbage]);
    assert!(secret.errors.contains("speaks no TLS"), "{secret:?}");
    for ended in [plain, silent, secret] {
        assert_eq!(ended.code, Some(1), "{ended:?}");
    }

    let ca = secured.authority.file();
    let clear = format!("http://{admin}");
    let flags = ["--admin", &clear, "--ca-file", ca.to_str().unwrap()];
    let clear = Ended::of(&[&["status"][..], &flags].concat());
    let nowhere = ["status", "--admin", &admin, "--ca-file", "/nowhere/ca"];
    let nowhere = Ended::of(&nowhere);
    assert!(nowhere.errors.contains("/nowhere/ca"), "{nowhere:?}");
    let half = Ended::of(&["status", "--admin", &admin, "--cert", "/nowhere/cert"]);
    assert!(half.errors.contains("--key"), "{half:?}");
    let relay = secured.relay.address().to_string();
    let told = secured.command(&["drain", &relay, "--admin", &admin]);
    assert!(told.errors.contains("over TLS only"), "{told:?}");
    for ended in [clear, nowhere, half, told] {
        assert_eq!(ended.code, Some(64), "{ended:?}");
    }
}
