//! Which part of ONNX Runtime computes: the property `execution-provider`, read and applied.

use std::fmt;

use ort::ep::{
    self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider, ExecutionProviderDispatch,
};
use ort::session::builder::SessionBuilder;

/// The names that the property takes.
const KNOWN: &str = "cpu, cuda, tensorrt, openvino or xnnpack";

/// What the user asked for: a provider and its options, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider {
    name: Name,
    options: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Cpu,
    Cuda,
    TensorRt,
    OpenVino,
    Xnnpack,
}

/// Why a provider cannot be used. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("execution-provider names `{0}`, which is not known: name {KNOWN}")]
    Unknown(String),
    #[error("execution-provider has the option `{0}`: write options as name=value behind commas")]
    Option(String),
    #[error("execution-provider is cpu, which takes no options: leave out `{0}`")]
    CpuOption(String),
    #[error(
        "execution-provider is {0}, which this ONNX Runtime was built without: install one that \
         has it and name it in runtime-library, or choose cpu"
    )]
    Lacking(&'static str),
    #[error(
        "execution-provider is {0}, which does not start ({1}): install what it needs, correct \
         its options, or choose cpu"
    )]
    Register(&'static str, String),
}

impl Provider {
    /// Reads `name` or `name,option=value,…`.
    pub(super) fn parse(text: &str) -> Result<Self, ProviderError> {
        let mut parts = text.split(',').map(str::trim);
        let name = match parts.next().unwrap_or_default() {
            "cpu" => Name::Cpu,
            "cuda" => Name::Cuda,
            "tensorrt" => Name::TensorRt,
            "openvino" => Name::OpenVino,
            "xnnpack" => Name::Xnnpack,
            other => return Err(ProviderError::Unknown(other.to_owned())),
        };
        let option = |part: &str| match part.split_once('=') {
            // A value with a zero byte would not get through to the runtime.
            Some((key, value)) if !key.is_empty() && !part.contains('\0') => {
                Ok((key.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(ProviderError::Option(part.to_owned())),
        };
        let options = parts.map(option).collect::<Result<Vec<_>, _>>()?;
        match options.first() {
            Some((key, _)) if name == Name::Cpu => Err(ProviderError::CpuOption(key.clone())),
            _ => Ok(Self { name, options }),
        }
    }

    /// Has the session's builder take the provider, or says why not.
    pub(super) fn apply(&self, builder: &mut SessionBuilder) -> Result<(), ProviderError> {
        let name = self.name();
        let Some((available, provider)) = self.dispatch() else {
            return Ok(());
        };
        if !available.unwrap_or(false) {
            return Err(ProviderError::Lacking(name));
        }
        provider
            .register(builder)
            .map_err(|err| ProviderError::Register(name, err.to_string()))
    }

    /// `None` for the CPU, which is always there.
    fn dispatch(&self) -> Option<(ort::Result<bool>, ExecutionProviderDispatch)> {
        Some(match self.name {
            Name::Cpu => return None,
            Name::Cuda => {
                let provider = self.configured(ep::CUDA::default());
                (ep::CUDA::is_available(), provider.build())
            }
            Name::TensorRt => {
                let provider = self.configured(ep::TensorRT::default());
                (ep::TensorRT::is_available(), provider.build())
            }
            Name::OpenVino => {
                let provider = self.configured(ep::OpenVINO::default());
                (ep::OpenVINO::is_available(), provider.build())
            }
            Name::Xnnpack => {
                let provider = self.configured(ep::XNNPACK::default());
                (ep::XNNPACK::is_available(), provider.build())
            }
        })
    }

    fn configured<P: ArbitrarilyConfigurableExecutionProvider>(&self, provider: P) -> P {
        self.options
            .iter()
            .fold(provider, |provider, (key, value)| {
                provider.with_arbitrary_config(key, value)
            })
    }

    /// As the property says it, without options.
    pub(super) fn name(&self) -> &'static str {
        match self.name {
            Name::Cpu => "cpu",
            Name::Cuda => "cuda",
            Name::TensorRt => "tensorrt",
            Name::OpenVino => "openvino",
            Name::Xnnpack => "xnnpack",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.options
            .iter()
            .try_for_each(|(key, value)| write!(f, ",{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_a_name_and_options() {
        for text in ["cpu", "cuda", "openvino,device_type=GPU.0,num_streams=2"] {
            let provider = Provider::parse(text).expect(text);
            assert_eq!(provider.to_string(), text);
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_names() {
        let refusal = |text| Provider::parse(text).expect_err(text).to_string();
        assert!(refusal("gpu").contains("`gpu`") && refusal("").contains("openvino"));
        assert!(refusal("cuda,device").contains("`device`"));
        assert!(refusal("cpu,threads=2").contains("`threads`"));
    }
}
