# SPDX-License-Identifier: BSD-2-Clause
#
# All codecs and none, null and empty keys and values, headers, a 900 KB record, and nothing to complain about.

import os

from rig import complaints, consumer, create_topic, name, producer, read

topic = create_topic(name("records"))
large = os.urandom(900 * 1024)
cases = [
    (b"k", b"v", [("h", b"1"), ("h", b"2"), ("null", None), ("empty", b"")]),
    (None, b"no key", None),
    (b"no value", None, None),
    (None, None, None),
    (b"", b"", None),
    (b"large", large, None),
]

offsets = []


def reported(error, message):
    assert error is None, error
    offsets.append(message.offset())


codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
for codec in codecs:
    writer = producer(compression_type=codec, message_max_bytes=2000000)
    for key, value, headers in cases:
        writer.produce(topic, value, key, headers=headers, on_delivery=reported)
    for i in range(100):
        writer.produce(topic, f"{codec} {i} ".encode() * 20, on_delivery=reported)
    assert writer.flush(30) == 0
assert offsets == list(range(len(codecs) * (len(cases) + 100))), offsets

reader = consumer(name("group"))
reader.subscribe([topic])
records = iter(read(reader, len(offsets)))
for codec in codecs:
    for key, value, headers in cases:
        record = next(records)
        assert (record.key(), record.value(), record.headers()) == (key, value, headers), (codec, key)
    for i in range(100):
        assert next(records).value() == f"{codec} {i} ".encode() * 20
reader.close()
assert complaints == [], complaints
