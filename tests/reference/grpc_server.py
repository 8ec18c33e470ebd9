#!/usr/bin/env python3
"""A server behind Azure's gRPC extension contract, for the tests of grpcdetect.

Written apart from the plugin: gRPC's own Python, with code that its protoc makes of
docs/media_graph_extension.proto. Needs grpcio and grpcio-tools:

    python3 tests/reference/grpc_server.py [port [key.pem certificate.pem]]

Says in lines of JSON what it hears: its port, then each session and each sample; and gives back
each number that it reads, until there are no more. How it behaves, each client asks for by its extension configuration, a JSON object of

    label       what it finds in each picture, "person" if not given; null for nothing
    sequence    its sequence id
    class       says what kind of picture it is, too
    delay       seconds until it answers
    apart       acknowledges first and answers then, by the time alone
    silent      never answers
    refuse      number of the message from which on pictures are refused
    huge        answers with 8 MB
    credentials what must stand in x-ms-authentication
    undescribed answers without a descriptor
"""

import concurrent.futures
import json
import mmap
import pathlib
import sys
import tempfile
import threading
import time

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).parents[2] / "docs/media_graph_extension.proto"

generated = tempfile.TemporaryDirectory()
sys.path.insert(0, generated.name)
if protoc.main(
    ["protoc", f"-I{PROTO.parent}", f"--python_out={generated.name}"]
    + [f"--grpc_python_out={generated.name}", PROTO.name]
):
    sys.exit("protoc refuses the contract")
import media_graph_extension_pb2 as messages
import media_graph_extension_pb2_grpc as services

lock = threading.Lock()


def say(**line):
    with lock:
        print(json.dumps(line), flush=True)


class Memory:
    """What lies in shared memory, read through a map of it."""

    def __init__(self, properties):
        self.length = properties.length_bytes
        with open(f"/dev/shm/{properties.handle_name}", "rb") as file:
            self.map = mmap.mmap(file.fileno(), self.length, prot=mmap.PROT_READ)

    def read(self, reference):
        end = reference.address_offset + reference.length_bytes
        assert end <= self.length
        return self.map[reference.address_offset : end]


def found(wish):
    """The inferences in any picture."""
    if wish.get("label", "person") is not None:
        inference = messages.Inference(type=messages.Inference.ENTITY)
        inference.sequence_id = wish.get("sequence", "")
        inference.entity.tag.value = wish.get("label", "person")
        inference.entity.tag.confidence = 0.9
        inference.entity.attributes.add(name="colour", value="red", confidence=0.5)
        inference.entity.box.CopyFrom(messages.Rectangle(l=0.25, t=0.25, w=0.5, h=0.5))
        yield inference
    if "class" in wish:
        inference = messages.Inference(type=messages.Inference.CLASSIFICATION)
        inference.classification.tag.value = wish["class"]
        yield inference
        yield messages.Inference(motion=messages.Motion(box=messages.Rectangle(w=1, h=1)))
        yield messages.Inference(text=messages.Text(value="EXIT", language="en"))
        yield messages.Inference(event=messages.Event(name="shift", properties={"a": "b"}))
        yield messages.Inference(other=messages.InferenceOther(content_type="text/plain"))
    if "huge" in wish:
        yield messages.Inference(subtype=" " * (8 << 20))


def replies(wish, ack, timestamp):
    """What is said of a sample, without numbers."""
    sample = messages.MediaSample(timestamp=timestamp, inferences=found(wish))
    if "silent" in wish:
        return
    time.sleep(wish.get("delay", 0))
    if "apart" in wish:
        yield messages.MediaStreamMessage(ack_sequence_number=ack)
        ack = 0
    yield messages.MediaStreamMessage(ack_sequence_number=ack, media_sample=sample)


class Extension(services.MediaGraphExtensionServicer):
    def ProcessMediaStream(self, requests, context):
        first = next(requests)
        descriptor = first.media_stream_descriptor
        wish = json.loads(descriptor.extension_configuration or "{}")
        metadata = dict(context.invocation_metadata())
        said = MessageToDict(descriptor, preserving_proto_field_name=True)
        say(session=said, number=first.sequence_number, metadata=metadata.get("user-agent"))
        if metadata.get("x-ms-authentication") != wish.get("credentials"):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        memory = None
        if descriptor.HasField("shared_memory_buffer_transfer_properties"):
            memory = Memory(descriptor.shared_memory_buffer_transfer_properties)
        number = 1
        answer = messages.MediaStreamMessage(sequence_number=1, ack_sequence_number=1)
        if "undescribed" in wish:
            answer.media_sample.timestamp = 0
        else:
            answer.media_stream_descriptor.extension_identifier = "reference"
        yield answer
        for request in requests:
            sample = request.media_sample
            picture = sample.content_bytes.bytes
            if sample.HasField("content_reference"):
                picture = memory.read(sample.content_reference)
            inferences = [
                MessageToDict(one, preserving_proto_field_name=True) for one in sample.inferences
            ]
            say(
                sample=request.sequence_number,
                ack=request.ack_sequence_number,
                timestamp=sample.timestamp,
                content=sample.WhichOneof("content"),
                offset=sample.content_reference.address_offset,
                length=len(picture),
                begin=picture[:8].hex(),
                red=picture == b"\xff\x00\x00" * (len(picture) // 3),
                inferences=inferences,
            )
            if request.sequence_number >= wish.get("refuse", 1 << 60):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "cannot decode")
            for reply in replies(wish, request.sequence_number, sample.timestamp):
                number += 1
                reply.sequence_number = number
                yield reply


def main():
    port, *tls = sys.argv[1:] or ["0"]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
    services.add_MediaGraphExtensionServicer_to_server(Extension(), server)
    address = f"127.0.0.1:{port}"
    if tls:
        pair = tuple(pathlib.Path(file).read_bytes() for file in tls)
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    say(port=port)
    # Whoever asks has heard all that was said before as soon as this comes back.
    for mark in sys.stdin:
        say(mark=int(mark))


if __name__ == "__main__":
    main()
