//! The messages of `docs/media_graph_extension.proto`, as far as they are written or read here;
//! what else a server sends is passed over. Their numbers are the contract's.

#![allow(missing_docs, reason = "the .proto says what they are")]

use prost::{Enumeration, Message, Oneof};

/// Where the service's only method is found.
pub const METHOD: &str = "/microsoft.azure.media.live_video_analytics.extensibility.grpc.v1.\
     MediaGraphExtension/ProcessMediaStream";

#[derive(Clone, PartialEq, Message)]
pub struct MediaStreamMessage {
    #[prost(uint64, tag = "1")]
    pub sequence_number: u64,
    #[prost(uint64, tag = "2")]
    pub ack_sequence_number: u64,
    #[prost(oneof = "Payload", tags = "5, 6")]
    pub payload: Option<Payload>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Payload {
    #[prost(message, tag = "5")]
    Descriptor(MediaStreamDescriptor),
    #[prost(message, tag = "6")]
    Sample(MediaSample),
}

#[derive(Clone, PartialEq, Message)]
pub struct MediaStreamDescriptor {
    #[prost(oneof = "StreamIdentifier", tags = "1, 2")]
    pub stream_identifier: Option<StreamIdentifier>,
    #[prost(string, tag = "3")]
    pub extension_configuration: String,
    #[prost(message, optional, tag = "5")]
    pub media_descriptor: Option<MediaDescriptor>,
    #[prost(message, optional, tag = "10")]
    pub shared_memory: Option<SharedMemory>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum StreamIdentifier {
    #[prost(message, tag = "1")]
    Graph(GraphIdentifier),
    #[prost(string, tag = "2")]
    Extension(String),
}

#[derive(Clone, PartialEq, Message)]
pub struct GraphIdentifier {
    #[prost(string, tag = "2")]
    pub graph_instance_name: String,
    #[prost(string, tag = "3")]
    pub graph_node_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct SharedMemory {
    #[prost(string, tag = "1")]
    pub handle_name: String,
    #[prost(uint64, tag = "2")]
    pub length_bytes: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct MediaDescriptor {
    #[prost(uint32, tag = "1")]
    pub timescale: u32,
    #[prost(message, optional, tag = "5")]
    pub video_frame_sample_format: Option<VideoFrameSampleFormat>,
}

#[derive(Clone, PartialEq, Message)]
pub struct VideoFrameSampleFormat {
    #[prost(enumeration = "Encoding", tag = "1")]
    pub encoding: i32,
    #[prost(enumeration = "PixelFormat", tag = "2")]
    pub pixel_format: i32,
    #[prost(message, optional, tag = "3")]
    pub dimensions: Option<Dimensions>,
    #[prost(uint32, tag = "4")]
    pub stride_bytes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum Encoding {
    Bmp = 0,
    Jpg = 1,
    Png = 2,
    Raw = 3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum PixelFormat {
    None = 0,
    Yuv420p = 20,
    Rgb565be = 40,
    Rgb565le = 41,
    Rgb555be = 42,
    Rgb555le = 43,
    Rgb24 = 60,
    Bgr24 = 61,
    Argb = 80,
    Rgba = 81,
    Abgr = 82,
    Bgra = 83,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Dimensions {
    #[prost(uint32, tag = "1")]
    pub width: u32,
    #[prost(uint32, tag = "2")]
    pub height: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct MediaSample {
    #[prost(uint64, tag = "1")]
    pub timestamp: u64,
    #[prost(oneof = "Content", tags = "5, 6")]
    pub content: Option<Content>,
    #[prost(message, repeated, tag = "10")]
    pub inferences: Vec<Inference>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Content {
    #[prost(message, tag = "5")]
    Bytes(ContentBytes),
    #[prost(message, tag = "6")]
    Reference(ContentReference),
}

#[derive(Clone, PartialEq, Message)]
pub struct ContentBytes {
    #[prost(bytes = "vec", tag = "1")]
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct ContentReference {
    #[prost(uint64, tag = "1")]
    pub address_offset: u64,
    #[prost(uint64, tag = "2")]
    pub length_bytes: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Inference {
    #[prost(enumeration = "InferenceType", tag = "1")]
    pub r#type: i32,
    #[prost(string, tag = "2")]
    pub subtype: String,
    #[prost(oneof = "Value", tags = "5, 6, 7")]
    pub value: Option<Value>,
    #[prost(string, tag = "14")]
    pub sequence_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum InferenceType {
    Auto = 0,
    Classification = 1,
    Motion = 2,
    Entity = 3,
    Text = 4,
    Event = 5,
    Other = 15,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    #[prost(message, tag = "5")]
    Classification(Classification),
    #[prost(message, tag = "6")]
    Motion(Motion),
    #[prost(message, tag = "7")]
    Entity(Entity),
}

#[derive(Clone, PartialEq, Message)]
pub struct Classification {
    #[prost(message, optional, tag = "1")]
    pub tag: Option<Tag>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Motion {
    #[prost(message, optional, tag = "1")]
    pub bbox: Option<Rectangle>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Entity {
    #[prost(message, optional, tag = "1")]
    pub tag: Option<Tag>,
    #[prost(message, optional, tag = "3")]
    pub bbox: Option<Rectangle>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tag {
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(float, tag = "3")]
    pub confidence: f32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Rectangle {
    #[prost(float, tag = "1")]
    pub l: f32,
    #[prost(float, tag = "2")]
    pub t: f32,
    #[prost(float, tag = "3")]
    pub w: f32,
    #[prost(float, tag = "4")]
    pub h: f32,
}
