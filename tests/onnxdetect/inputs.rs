//! Inputs of every kind: models written by hand after onnx.proto, whose boxes are the picture itself.

use crate::{asset, harness, observed};

/// An element type, by its number in onnx.proto.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Element {
    F32 = 1,
    U8 = 2,
    I64 = 7,
    F16 = 10,
}

/// A dimension of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Of(u64),
    Open,
}

/// A graph from one input `x` to one output `y`.
pub(crate) struct Graph<'a> {
    pub(crate) input: (Element, &'a [Side]),
    /// Each as `node` writes it.
    pub(crate) nodes: Vec<Vec<u8>>,
    pub(crate) output: (Element, &'a [u64]),
    /// Another input i64[1,2], and whether it stands before `x`.
    pub(crate) extra: Option<bool>,
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A protobuf field whose value is bytes.
fn field(number: u64, value: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2), &varint(value.len() as u64), value].concat()
}

/// One whose value is a number.
fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// A node with one output.
pub(crate) fn node(op: &str, from: &[&str], to: &str) -> Vec<u8> {
    let mut node: Vec<u8> = from
        .iter()
        .flat_map(|from| field(1, from.as_bytes()))
        .collect();
    node.extend(field(2, to.as_bytes()));
    node.extend(field(4, op.as_bytes()));
    node
}

/// A node that changes the element type.
fn cast(from: &str, to: &str, element: Element) -> Vec<u8> {
    const INT: u64 = 2;
    let attribute = [field(1, b"to"), number(3, element as u64), number(20, INT)].concat();
    [node("Cast", &[from], to), field(5, &attribute)].concat()
}

fn value(name: &str, element: Element, sides: &[Side]) -> Vec<u8> {
    let dimension = |side: &Side| match side {
        Side::Of(side) => field(1, &number(1, *side)),
        Side::Open => field(1, &field(2, b"open")),
    };
    let shape: Vec<u8> = sides.iter().flat_map(dimension).collect();
    let tensor = [number(1, element as u64), field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

impl Graph<'_> {
    /// The whole model.
    pub(crate) fn model(&self) -> Vec<u8> {
        let extra = field(
            11,
            &value("size", Element::I64, &[Side::Of(1), Side::Of(2)]),
        );
        let mut graph: Vec<u8> = self.nodes.iter().flat_map(|node| field(1, node)).collect();
        graph.extend(field(2, b"written by hand"));
        // The constant `rows`: what `Reshape` makes of a picture.
        let rows = [1, ROWS as u64, 6].map(|side| number(7, side)).concat();
        let constant = [
            number(1, 3),
            number(2, Element::I64 as u64),
            rows,
            field(8, b"rows"),
        ];
        graph.extend(field(5, &constant.concat()));
        if self.extra == Some(true) {
            graph.extend(&extra);
        }
        graph.extend(field(11, &value("x", self.input.0, self.input.1)));
        if self.extra == Some(false) {
            graph.extend(&extra);
        }
        let sides: Vec<_> = self.output.1.iter().map(|&side| Side::Of(side)).collect();
        graph.extend(field(12, &value("y", self.output.0, &sides)));
        let opset = field(8, &number(2, 13));
        [number(1, 8), field(7, &graph), opset].concat()
    }
}

/// Boxes that a picture of 4 x 4 pixels of three colours holds, each of six numbers.
const ROWS: usize = 8;

/// The numbers of a picture in the order of the model's tensor: a box of class 7, one of class 2,
/// and nothing, as left, top, right, bottom in pixels, score, class.
fn numbers() -> [u8; 6 * ROWS] {
    let mut rows = [[0; 6]; ROWS];
    rows[0] = [1, 0, 3, 4, 1, 7];
    rows[3] = [0, 1, 2, 2, 1, 2];
    rows.as_flattened().try_into().expect("as many")
}

#[test]
fn floats_halves_and_bytes_planes_and_pixels_fixed_and_open_sizes_are_filled() {
    asset("ORT_DYLIB_PATH");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("picture.onnx");
    let config = r#"{\"layout\":\"end-to-end\",\"scale\":1,\"width\":4,\"height\":4,\"labels\":[\"a\",\"b\",\"two\",\"d\",\"e\",\"f\",\"g\",\"seven\"]}"#;
    for element in [Element::F32, Element::F16, Element::U8] {
        for (interleaved, side, extra) in [
            (true, Side::Of(4), None),
            (true, Side::Open, Some(true)),
            (false, Side::Of(4), Some(false)),
            (false, Side::Open, None),
        ] {
            let three = Side::Of(3);
            let sides = match interleaved {
                true => [Side::Of(1), side, side, three],
                false => [Side::Of(1), three, side, side],
            };
            let output = if element == Element::U8 {
                Element::F32
            } else {
                element
            };
            let graph = Graph {
                input: (element, &sides),
                nodes: vec![cast("x", "z", output), node("Reshape", &["z", "rows"], "y")],
                output: (output, &[1, ROWS as u64, 6]),
                extra,
            };
            std::fs::write(&file, graph.model()).expect("written");
            let line = format!(
                "onnxdetect model-file={} model-config={config}",
                file.display()
            );
            let mut harness = harness(&line);
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, 4, 4);
            let info = info.build().expect("a sound size");
            harness.set_src_caps(info.to_caps().expect("a sound format"));
            let mut picture = numbers().to_vec();
            if !interleaved {
                // A plane a colour, so that they come out as rows again.
                let planes = numbers();
                picture = (0..48).map(|n| planes[n % 3 * 16 + n / 3]).collect();
            }
            let pushed = harness.push(gst::Buffer::from_mut_slice(picture));
            assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
            let (_, objects) = observed(&harness.pull().expect("a frame")).expect("inferred");
            let mut seen: Vec<_> = objects
                .iter()
                .map(|o| (o.label.as_str(), o.corners))
                .collect();
            seen.sort_by_key(|(label, _)| label.to_owned());
            let expected = [
                ("seven", [0.25, 0.0, 0.75, 1.0]),
                ("two", [0.0, 0.25, 0.5, 0.5]),
            ];
            assert_eq!(seen, expected, "{element:?} {sides:?}");
        }
    }
}
