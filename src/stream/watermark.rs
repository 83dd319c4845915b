//! The watermark: how many bytes must wait in a relay's socket before it wakes us.
//!
//! One wake-up costs the same for 1 KB as for 8: with a watermark of half a second of audio a stream costs less than half
//! (docs/benchmarks.md). A close or a reset wakes the reader at once whatever the watermark.

/// Sets the watermark of a socket by its descriptor; nothing happens where the system does not know such a thing.
///
/// Lowering it wakes the reader for what already waits (Linux 4.17 and later).
pub fn set(descriptor: i32, bytes: usize) {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let value = (&raw const bytes).cast::<libc::c_void>();
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    if descriptor < 0 {
        return;
    }
    #[expect(
        unsafe_code,
        reason = "no crate sets SO_RCVLOWAT; `value` points to `length` bytes that outlive the call, and a wrong descriptor is an error, not harm"
    )]
    unsafe {
        // A socket that refuses wakes us more often: slower, not wrong.
        let _ = libc::setsockopt(
            descriptor,
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            value,
            length,
        );
    }
}
