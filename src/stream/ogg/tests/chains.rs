//! Header pages, audio pages, and chains.

use super::made::{BOS, CONTINUED, Made, opus, with_right_crc};
use super::*;

fn roles(body: &[u8]) -> Vec<Result<Role, Unsupported>> {
    let mut chains = Chains::default();
    let roles = read(body)
        .iter()
        .map(|page| chains.admit(page))
        .collect::<Vec<_>>();
    assert!(!roles.is_empty());
    roles
}

fn codec(body: &[u8]) -> Option<Codec> {
    let mut chains = Chains::default();
    chains.admit(&read(body)[0]).unwrap();
    chains.codec()
}

fn fingerprint(body: &[u8]) -> u32 {
    let mut chains = Chains::default();
    for page in read(body) {
        chains.admit(&page).unwrap();
    }
    chains.fingerprint()
}

#[test]
fn codecs_are_recognised_and_two_header_pages_precede_the_audio() {
    let files = [
        ("captures/relayA-live.ogg", Codec::Vorbis),
        ("clips/tone64.ogg", Codec::Vorbis),
        ("captures/relayA-live.opus", Codec::Opus),
        ("clips/tone48.opus", Codec::Opus),
        ("clips/toneflac.oga", Codec::Flac),
    ];
    for (name, expected) in files {
        assert_eq!(codec(&file(name)), Some(expected), "{name}");
        let roles = roles(&file(name));
        assert_eq!(roles[..2], [Ok(Role::Begin), Ok(Role::Header)], "{name}");
        assert!(
            roles[2..].iter().all(|role| *role == Ok(Role::Audio)),
            "{name}"
        );
    }
}

#[test]
fn relays_give_a_chain_the_same_fingerprint() {
    for (name, a, b) in views() {
        assert_eq!(fingerprint(&a), fingerprint(&b), "{name}");
    }
    let titles = [
        opus(1, "one", &["a"]).concat(),
        opus(1, "two", &["a"]).concat(),
    ];
    assert_ne!(fingerprint(&titles[0]), fingerprint(&titles[1]));
}

#[test]
fn a_title_begins_a_new_chain() {
    let body = [opus(1, "one", &["a", "b"]), opus(2, "two", &["c"])]
        .concat()
        .concat();
    let chain = |audio| {
        [
            vec![Ok(Role::Begin), Ok(Role::Header)],
            vec![Ok(Role::Audio); audio],
        ]
        .concat()
    };
    assert_eq!(roles(&body), [chain(2), chain(1)].concat());
}

#[test]
fn comments_may_take_several_pages() {
    let mut pages = opus(1, "", &["a"]);
    let art = |goes_on| Made {
        serial: 1,
        sequence: 1,
        packets: vec![vec![9; 200 * 255]],
        goes_on,
        ..Made::default()
    };
    pages.splice(1..2, [art(true).build(), art(false).build()]);
    let expected = [
        Ok(Role::Begin),
        Ok(Role::Header),
        Ok(Role::Header),
        Ok(Role::Audio),
    ];
    assert_eq!(roles(&pages.concat()), expected);
}

#[test]
fn flac_headers_of_unknown_number_end_where_frames_begin() {
    let mut pages = cut(&file("clips/toneflac.oga"));
    let count = 28 + 7..28 + 9;
    assert_eq!(pages[0][count.clone()], [0, 1]);
    pages[0][count].fill(0);
    pages[0] = with_right_crc(pages[0].clone());
    let block = |flags, first, goes_on| Made {
        flags,
        serial: header(&pages[0]).serial,
        packets: vec![vec![first; 255]],
        goes_on,
        ..Made::default()
    };
    let picture = [
        block(0, 6, true).build(),
        block(CONTINUED, 0xff, false).build(),
    ];
    pages.splice(2..2, picture);
    let headers = [vec![Ok(Role::Begin)], vec![Ok(Role::Header); 3]].concat();
    assert_eq!(
        roles(&pages.concat())[..5],
        [headers, vec![Ok(Role::Audio)]].concat()
    );
}

#[test]
fn a_first_audio_page_on_which_no_frame_ends_is_no_header() {
    let mut pages = cut(&file("clips/toneflac.oga"))[..2].to_vec();
    let serial = header(&pages[0]).serial;
    let begun = Made {
        granule: -1,
        serial,
        sequence: 2,
        packets: vec![vec![0xff; 255]],
        goes_on: true,
        ..Made::default()
    };
    pages.push(begun.build());
    let expected = [Ok(Role::Begin), Ok(Role::Header), Ok(Role::Audio)];
    assert_eq!(roles(&pages.concat()), expected);
}

#[test]
fn audio_that_comes_before_its_headers_are_complete_is_audio() {
    let mut pages = opus(1, "", &["a", "b"]);
    pages.remove(1);
    assert_eq!(
        roles(&pages.concat()),
        [Ok(Role::Begin), Ok(Role::Audio), Ok(Role::Audio)]
    );
}

#[test]
fn multiplexed_streams_are_not_supported() {
    let (video, sound) = (opus(1, "", &["a"]), opus(2, "", &["b"]));
    let body = [
        &video[0], &sound[0], &video[1], &sound[1], &video[2], &sound[2],
    ]
    .map(Clone::clone)
    .concat();
    let roles = roles(&body);
    assert_eq!(roles[0], Ok(Role::Begin));
    assert!(
        roles[1..]
            .iter()
            .all(|role| *role == Err(Unsupported::Multiplexed))
    );
}

#[test]
fn a_page_of_a_stream_that_never_began_is_not_supported() {
    let stranger = opus(2, "", &["b"]).pop().unwrap();
    let body = [opus(1, "", &["a"]).concat(), stranger].concat();
    assert_eq!(roles(&body).pop(), Some(Err(Unsupported::Multiplexed)));
}

#[test]
fn other_codecs_and_missing_beginnings_are_not_supported() {
    let speex = Made {
        flags: BOS,
        packets: vec![b"Speex   ".to_vec()],
        ..Made::default()
    }
    .build();
    assert_eq!(roles(&speex), [Err(Unsupported::Codec)]);
    let middle = opus(1, "", &["a"]).split_off(1).concat();
    assert!(
        roles(&middle)
            .iter()
            .all(|role| *role == Err(Unsupported::NoBeginning))
    );
}

#[test]
fn headers_without_end_are_not_supported() {
    let mut pages = cut(&file("clips/toneflac.oga"));
    pages[0][28 + 7] = 0xff;
    let head = with_right_crc(pages.swap_remove(0));
    let serial = header(&head).serial;
    let block = Made {
        serial,
        packets: vec![vec![4; 60_000]],
        ..Made::default()
    }
    .build();
    let body = [head, block.repeat(6)].concat();
    let roles = roles(&body);
    assert_eq!(roles[4], Ok(Role::Header));
    assert_eq!(roles[5..], [Err(Unsupported::Headers); 2]);
}
