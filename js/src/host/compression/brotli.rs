//! Brotli (RFC 7932).

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{
    BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct,
};
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

use super::{Coder, Flush, Step};

/// Largest window of what is read, as its logarithm.
const READ_WINDOW_MAX: u32 = 24;

/// Largest window of what is written: what Node takes by default. A larger one would need more memory
/// than there is for compressors.
const WINDOW_MAX: u32 = 22;

/// Memory that a coder takes, in bytes: an encoder has its window twice and tables of six times that.
pub(super) fn memory(kind: &str, window: u32) -> Option<usize> {
    match kind {
        "brotli" => Some((8 << window.clamp(10, WINDOW_MAX)) + (4 << 20)),
        "unbrotli" => Some((1 << READ_WINDOW_MAX) + (1 << 20)),
        _ => None,
    }
}

pub(super) struct Encoder(Box<BrotliEncoderStateStruct<StandardAlloc>>);

impl Encoder {
    pub(super) fn new(quality: u32, window: u32, mode: u32, size: u32) -> Self {
        let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
        for (parameter, value) in [
            (BrotliEncoderParameter::BROTLI_PARAM_QUALITY, quality.min(11)),
            (BrotliEncoderParameter::BROTLI_PARAM_LGWIN, window.clamp(10, WINDOW_MAX)),
            (BrotliEncoderParameter::BROTLI_PARAM_MODE, mode.min(2)),
            (BrotliEncoderParameter::BROTLI_PARAM_SIZE_HINT, size),
        ] {
            state.set_parameter(parameter, value);
        }
        Self(Box::new(state))
    }
}

impl Coder for Encoder {
    fn step(&mut self, input: &[u8], output: &mut [u8], flush: Flush) -> Result<Step, String> {
        let operation = match flush {
            Flush::None => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
            Flush::Sync | Flush::Full => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
            Flush::Finish => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
        };
        let (mut left, mut read) = (input.len(), 0);
        let (mut room, mut written) = (output.len(), 0);
        let went = self.0.compress_stream(
            operation,
            &mut left,
            input,
            &mut read,
            &mut room,
            output,
            &mut written,
            &mut None,
            &mut |_, _, _, _| (),
        );
        if !went {
            return Err("Compression failed".to_owned());
        }
        Ok(Step { read, written, is_ended: self.0.is_finished() })
    }
}

pub(super) struct Decoder(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>);

impl Decoder {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
    }
}

impl Coder for Decoder {
    fn step(&mut self, input: &[u8], output: &mut [u8], _: Flush) -> Result<Step, String> {
        let (mut left, mut read) = (input.len(), 0);
        let (mut room, mut written, mut total) = (output.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            output,
            &mut total,
            &mut self.0,
        );
        match result {
            BrotliResult::ResultFailure => Err("Decompression failed".to_owned()),
            result => {
                let is_ended = matches!(result, BrotliResult::ResultSuccess);
                Ok(Step { read, written, is_ended })
            }
        }
    }
}
