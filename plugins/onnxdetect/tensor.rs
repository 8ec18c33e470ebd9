//! The runtime's tensors as core's: the image that goes in, the numbers that come out.

use evr_core::detector::{Input, Sample, TensorMut};
use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::session::{SessionInputValue, SessionOutputs};
use ort::value::{Tensor, TensorElementType};

/// A model's image input, in the type that it takes.
#[derive(Debug)]
pub(super) enum ImageTensor {
    F32(Tensor<f32>),
    F16(Tensor<f16>),
    U8(Tensor<u8>),
}

impl ImageTensor {
    pub(super) fn new(input: &Input) -> Result<Self, ort::Error> {
        let shape = match input.interleaved {
            true => [1, input.height, input.width, 3],
            false => [1, 3, input.height, input.width],
        };
        let elements = input.elements();
        Ok(match input.sample {
            Sample::F32 => Self::F32(Tensor::from_array((shape, vec![0.0; elements]))?),
            Sample::F16 => Self::F16(Tensor::from_array((shape, vec![f16::ZERO; elements]))?),
            Sample::U8 => Self::U8(Tensor::from_array((shape, vec![0; elements]))?),
        })
    }

    /// What is to be filled.
    pub(super) fn elements(&mut self) -> TensorMut<'_> {
        match self {
            Self::F32(tensor) => TensorMut::F32(tensor.extract_tensor_mut().1),
            Self::F16(tensor) => TensorMut::F16(tensor.extract_tensor_mut().1),
            Self::U8(tensor) => TensorMut::U8(tensor.extract_tensor_mut().1),
        }
    }

    pub(super) fn value(&self) -> SessionInputValue<'_> {
        match self {
            Self::F32(tensor) => tensor.into(),
            Self::F16(tensor) => tensor.into(),
            Self::U8(tensor) => tensor.into(),
        }
    }
}

/// Outputs of other types than f32, as f32, in memory that stays.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    converted: Vec<Vec<f32>>,
}

impl Numbers {
    /// Converts what has to be.
    pub(super) fn read(&mut self, outputs: &SessionOutputs<'_>) {
        self.converted.resize_with(outputs.len(), Vec::new);
        for (i, numbers) in self.converted.iter_mut().enumerate() {
            let output = &outputs[i];
            numbers.clear();
            // Class numbers are far below 2^24, up to which f32 holds every one.
            match output.dtype().tensor_type() {
                Some(TensorElementType::Float16) => {
                    if let Ok((_, halves)) = output.try_extract_tensor::<f16>() {
                        numbers.resize(halves.len(), 0.0);
                        halves.convert_to_f32_slice(numbers);
                    }
                }
                Some(TensorElementType::Int64) => {
                    if let Ok((_, whole)) = output.try_extract_tensor::<i64>() {
                        numbers.extend(whole.iter().map(|&number| number as f32));
                    }
                }
                Some(TensorElementType::Int32) => {
                    if let Ok((_, whole)) = output.try_extract_tensor::<i32>() {
                        numbers.extend(whole.iter().map(|&number| number as f32));
                    }
                }
                _ => {}
            }
        }
    }

    /// The numbers of an output; `None` where it holds none.
    pub(super) fn output<'a>(
        &'a self,
        outputs: &'a SessionOutputs<'_>,
        i: usize,
    ) -> Option<&'a [f32]> {
        if i >= outputs.len() {
            return None;
        }
        match outputs[i].dtype().tensor_type()? {
            TensorElementType::Float32 => Some(outputs[i].try_extract_tensor().ok()?.1),
            TensorElementType::Float16 | TensorElementType::Int64 | TensorElementType::Int32 => {
                Some(&self.converted[i])
            }
            _ => None,
        }
    }
}
