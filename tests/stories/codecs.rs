//! Codecs: real encoded streams in each format, whose listeners lose their relay twice; compared with what was
//! played, and decoded over the seams.

use crate::harness::{
    BURST_BYTES, Balancer, ConfigText, Fleet, Format, Page, Radio, TuneIn, assert_unbroken,
    decoded, eventually, pages, seconds,
};

/// Two listeners of a mount, and one who hears it from the master itself.
struct Audience<'a> {
    mount: &'a str,
    format: Format,
    master: Radio,
    listeners: Vec<Radio>,
}

impl<'a> Audience<'a> {
    #[track_caller]
    fn of((mount, format): (&'a str, Format), fleet: &Fleet, balancer: &Balancer) -> Self {
        Self {
            mount,
            format,
            master: TuneIn::to(mount).at(fleet.master().address()).unwrap(),
            listeners: balancer.radios(2, mount),
        }
    }

    /// Waits until each of them has heard as much as a burst, and some seconds more from now on.
    #[track_caller]
    fn listen(&self) {
        let pace = self.format.programme().bytes_per_second;
        let radios = self.listeners.iter().chain([&self.master]);
        let radios: Vec<_> = radios
            .map(|radio| (radio, radio.heard_bytes() + 3 * pace))
            .collect();
        for (radio, goal) in radios {
            radio.hear_up_to(goal.max(BURST_BYTES), seconds(20));
        }
    }

    #[track_caller]
    fn heard_everything(&self, fleet: &Fleet) {
        for radio in &self.listeners {
            assert_eq!(radio.end(), None, "{}", self.mount);
            let heard = radio.audio();
            if self.format.is_ogg() {
                self.heard_every_page(&heard);
            } else {
                assert_unbroken(&heard, &fleet.source(self.mount).programme());
                let expected = heard.len() as f64 / self.format.programme().bytes_per_second as f64;
                self.decodes_to(&heard, expected);
            }
        }
    }

    #[track_caller]
    fn heard_every_page(&self, heard: &[u8]) {
        let (theirs, played) = (pages(heard), pages(&self.master.audio()));
        assert_eq!(
            stretch_of(&theirs, &played, self.format),
            None,
            "{}",
            self.mount
        );
        assert_numbered(&theirs);
        let whole: usize = theirs.iter().map(Page::bytes).sum();
        let audio: Vec<_> = theirs.iter().filter(|page| !page.is_header()).collect();
        // The first page is heard in part: its first packets need those before them.
        let samples = audio[audio.len() - 1].granule - audio[0].granule;
        let expected = samples as f64 / f64::from(self.format.samples_per_second());
        let complaints = self.decodes_to(&heard[..whole], expected);
        assert!(complaints.is_empty(), "{}: {complaints:?}", self.mount);
    }

    #[track_caller]
    fn decodes_to(&self, heard: &[u8], expected: f64) -> Vec<String> {
        let decoded = decoded(heard);
        let difference = (decoded.seconds - expected).abs();
        assert!(
            difference < 1.1,
            "{}: {expected} s became {}",
            self.mount,
            decoded.seconds
        );
        decoded.complaints
    }
}

/// `None` when the audio pages that were heard are one stretch of those that were played, else what is wrong.
fn stretch_of(heard: &[Page], played: &[Page], format: Format) -> Option<String> {
    // ICECAST: each server writes its own serials, numbers and checksums into Vorbis pages, and none into others.
    let rewritten = matches!(format, Format::Vorbis | Format::VorbisAt192);
    let same = |one: &Page, other: &Page| match rewritten {
        true => one.content() == other.content(),
        false => one == other,
    };
    let audio = |pages: &[Page]| -> Vec<Page> {
        pages
            .iter()
            .filter(|page| !page.is_header())
            .cloned()
            .collect()
    };
    let (mut heard, played) = (audio(heard), audio(played));
    // Bursts do not begin alike: what came before the master's is nothing that it can tell of.
    heard.retain(|page| page.granule >= played[0].granule);
    let Some(start) = played.iter().position(|page| same(page, &heard[0])) else {
        return Some("its first page was not played".to_owned());
    };
    let wrong = heard
        .iter()
        .zip(&played[start..])
        .position(|(heard, played)| !same(heard, played));
    let wrong = wrong?;
    let place = played.iter().position(|page| same(page, &heard[wrong]));
    Some(format!(
        "after page {wrong} of {}, expected {} comes {place:?}",
        heard.len(),
        start + wrong
    ))
}

/// One chain: one serial, and no number left out.
#[track_caller]
fn assert_numbered(pages: &[Page]) {
    assert!(pages.iter().all(|page| page.serial == pages[0].serial));
    assert_eq!(pages.iter().filter(|page| page.flags & 2 != 0).count(), 1);
    let audio: Vec<_> = pages.iter().filter(|page| !page.is_header()).collect();
    let gap = audio
        .windows(2)
        .find(|two| two[1].sequence != two[0].sequence + 1);
    assert_eq!(gap.map(|two| (two[0].sequence, two[1].sequence)), None);
}

#[track_caller]
fn relays_are_lost_under(mounts: &[(&str, Format)]) {
    let fleet = Fleet::of(2).carrying_formats(mounts);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let audiences: Vec<_> = mounts
        .iter()
        .map(|mount| Audience::of(*mount, &fleet, &balancer))
        .collect();
    audiences.iter().for_each(Audience::listen);

    fleet.relay(1).kill();
    audiences.iter().for_each(Audience::listen);
    fleet.relay(1).restart();
    eventually(seconds(5), "relay 1 is back", || {
        balancer
            .admin_status()
            .of(fleet.relay(1))
            .ineligible()
            .is_empty()
    });
    audiences.iter().for_each(Audience::listen);
    fleet.relay(2).kill();
    audiences.iter().for_each(Audience::listen);

    for audience in &audiences {
        audience.heard_everything(&fleet);
    }
    assert_eq!(balancer.seams("audible") + balancer.seams("guessed"), 0);
    assert!(balancer.seams("exact") >= 2 * mounts.len() as u64);
}

#[test]
fn mp3_and_aac_go_on_with_the_next_byte() {
    relays_are_lost_under(&[("/live.mp3", Format::Mp3), ("/live.aac", Format::Aac)]);
}

#[test]
fn opus_and_flac_go_on_with_the_next_page() {
    relays_are_lost_under(&[("/live.opus", Format::Opus), ("/live.oga", Format::Flac)]);
}

#[test]
fn vorbis_goes_on_with_the_next_page_as_if_it_were_one_stream() {
    relays_are_lost_under(&[
        ("/live.ogg", Format::Vorbis),
        ("/fine.ogg", Format::VorbisAt192),
    ]);
}
