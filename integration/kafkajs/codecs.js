// SPDX-License-Identifier: BSD-2-Clause
//
// gzip, snappy, lz4, zstd and none, from one producer into one topic and back.

const assert = require('node:assert')
const kafkajs = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')
const { name, client, producer, createTopic, readAll, main } = require('./rig')

const { CompressionTypes, CompressionCodecs } = kafkajs

async function installCodecs() {
  const zstd = await new Promise(resolve => ZstdCodec.run(library => resolve(new library.Simple())))
  CompressionCodecs[CompressionTypes.Snappy] = snappy
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async encoder => lz4.compressFrame(encoder.buffer),
    decompress: async buffer => lz4.decompressFrame(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
}

main(async () => {
  await installCodecs()
  const kafka = client()
  const topic = await createTopic(kafka, name('codecs'))
  const writer = producer(kafka)
  await writer.connect()
  const sent = []
  for (const codec of ['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD']) {
    const messages = [...Array(100).keys()].map(i => ({ key: codec, value: `${codec} ${i} `.repeat(20) }))
    const [{ errorCode }] = await writer.send({ topic, compression: CompressionTypes[codec], messages })
    assert.strictEqual(errorCode, 0)
    sent.push(...messages)
  }
  await writer.disconnect()
  const got = await readAll(kafka, topic, sent.length)
  assert.deepStrictEqual(got.map(({ key, value }) => ({ key: String(key), value: String(value) })), sent)
  assert.deepStrictEqual(kafka.problems, [])
})
