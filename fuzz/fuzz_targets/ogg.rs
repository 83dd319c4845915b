//! Ogg of any bytes. Laws: a body is carried the same in any chunks; whatever two relays send and wherever the seam is,
//! only whole pages with the right CRC go out.
#![no_main]

use icecast_balancer::stream::ogg::{Approach, Joint, OggStream, PageReader, Sent};
use icecast_balancer_fuzz::cut::{below, chunks, steered};
use icecast_balancer_fuzz::pages;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (data, [seal, a, b, c, d, e, f, sizes @ ..]) = steered(input);
    let mut body = data.to_vec();
    if seal & 1 == 0 {
        pages::seal_all(&mut body);
    }
    assert_chunks_do_not_matter(&body, &sizes);
    let heard = below(body.len() + 1, a, b);
    let burst = below(heard + 1, c, d);
    let come = burst + below(body.len() + 1 - burst, e, f);
    let (mut stream, mut approach) = (OggStream::default(), Approach::default());
    assert_sound(&stream.carry(&body[..heard]));
    chunks(&body[burst..come], &sizes).for_each(|chunk| approach.push(chunk));
    assert_sound(&seam(&mut stream, approach, seal & 2 == 0));
    assert_sound(&stream.carry(&body[come..]));
    // And back to a relay that begins as the first did.
    let mut approach = Approach::default();
    approach.push(&body);
    assert_sound(&seam(&mut stream, approach, seal & 4 == 0));
});

fn assert_chunks_do_not_matter(body: &[u8], sizes: &[u8]) {
    let (mut whole, mut cut) = (OggStream::default(), OggStream::default());
    let sent = whole.carry(body);
    let pieces: Vec<Sent> = chunks(body, sizes)
        .flat_map(|chunk| cut.carry(chunk))
        .collect();
    assert!(sent == pieces);
    assert_eq!(
        (whole.codec(), whole.unsupported()),
        (cut.codec(), cut.unsupported())
    );
    assert_sound(&sent);
    // A few last bytes may wait for more or be known to be nothing.
    let left = |reader: &PageReader| reader.skipped_bytes() + reader.held_bytes() as u64;
    let (mut whole, mut cut) = (PageReader::default(), PageReader::default());
    whole.push(body);
    chunks(body, sizes).for_each(|chunk| drop(cut.push(chunk)));
    assert_eq!(left(&whole), left(&cut));
}

fn seam(stream: &mut OggStream, approach: Approach, obeys: bool) -> Vec<Sent> {
    let joint = stream.joint(&approach);
    match joint {
        Joint::Found { resume } | Joint::Unsure { resume } if obeys => {
            assert!(resume <= approach.pages());
            stream.splice(approach, resume)
        }
        Joint::NoOverlap { resume } if obeys => {
            assert!(resume <= approach.pages());
            stream.restart(approach, resume)
        }
        _ => {
            let resume = approach.recent(64_400);
            assert!(resume <= approach.pages());
            stream.restart(approach, resume)
        }
    }
}

fn assert_sound(sent: &[Sent]) {
    sent.iter().for_each(|it| pages::assert_sound(&it.bytes));
}
