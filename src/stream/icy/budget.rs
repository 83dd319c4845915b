//! The metadata budget: how much metadata a relay may send for its audio. Pure.
//!
//! Metadata reaches no listener byte for byte, so a listener that reads slowly does not slow it down as it does audio: without
//! a bound one relay that sends nothing but titles takes a processor.

/// Metadata that a relay may send ahead of its audio: sixteen of the longest blocks, as after a change of many fields.
///
/// ICECAST: a block of at most 4,081 bytes for each 16,000 bytes of audio, and nearly every one is a single zero byte.
pub const METADATA_ALLOWANCE_BYTES: usize = 64 * 1024;

/// A relay sent more metadata than audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected at most as much metadata as audio after {METADATA_ALLOWANCE_BYTES} bytes, found more"
)]
pub struct TooMuchMetadata;

/// The metadata that a relay may still send: as much as it sent audio, and the allowance.
#[derive(Debug, Clone)]
pub struct MetadataBudget {
    left_bytes: usize,
}

impl Default for MetadataBudget {
    fn default() -> Self {
        Self {
            left_bytes: METADATA_ALLOWANCE_BYTES,
        }
    }
}

impl MetadataBudget {
    /// Notes what came; audio of long ago counts for no more than the allowance.
    ///
    /// # Errors
    /// [`TooMuchMetadata`]; nothing more of that relay should be read.
    pub fn note(
        &mut self,
        audio_bytes: usize,
        metadata_bytes: usize,
    ) -> Result<(), TooMuchMetadata> {
        let earned = self.left_bytes.saturating_add(audio_bytes);
        let left = earned.checked_sub(metadata_bytes).ok_or(TooMuchMetadata)?;
        self.left_bytes = left.min(METADATA_ALLOWANCE_BYTES);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn real_titles_never_use_the_budget_up() {
        let mut budget = MetadataBudget::default();
        for _ in 0..10_000 {
            assert_eq!(budget.note(4_096, 4_081), Ok(()));
        }
    }

    #[test]
    fn endless_titles_use_the_budget_up() {
        let mut budget = MetadataBudget::default();
        let blocks = (0..).take_while(|_| budget.note(256, 4_081).is_ok());
        assert_eq!(blocks.count(), 17);
        let mut budget = MetadataBudget::default();
        budget.note(1 << 30, 0).unwrap();
        let blocks = (0..).take_while(|_| budget.note(0, 4_081).is_ok());
        assert_eq!(blocks.count(), 16, "audio of long ago earns no more");
    }

    proptest! {
        #[test]
        fn metadata_is_never_more_than_audio_and_the_allowance(
            pieces in prop::collection::vec((0..20_000_usize, 0..20_000_usize), 0..200),
        ) {
            let mut budget = MetadataBudget::default();
            let (mut audio, mut metadata) = (0, 0);
            for (more_audio, more_metadata) in pieces {
                if budget.note(more_audio, more_metadata).is_err() {
                    break;
                }
                audio += more_audio;
                metadata += more_metadata;
            }
            prop_assert!(metadata <= audio + METADATA_ALLOWANCE_BYTES);
        }
    }
}
