// SPDX-License-Identifier: BSD-2-Clause
//
// A compacted topic while it is written and read: a reader from the beginning sees the last value of each key, at the offset
// that its producer was told, whatever compaction removed before it came; deleted keys vanish in the end; an offset that is
// gone leads to what follows; and all of that survives a restart.
// suite: timeout=120

const assert = require('node:assert')
const { CompressionTypes } = require('kafkajs')
const { name, client, producer, consumer, createTopic, sleep, until, control, main } = require('./rig')

const KEYS = 20
const ROUNDS = 6

// All records from `offset` up to the one at `last`, by a reader that starts now.
async function readTo(kafka, topic, last, offset) {
  const reader = consumer(kafka, name(`reader-${Math.random().toString(36).slice(2)}`))
  const records = []
  await reader.connect()
  await reader.subscribe({ topics: [topic], fromBeginning: true })
  await reader.run({
    eachMessage: async ({ message }) => {
      records.push({ offset: Number(message.offset), key: String(message.key), value: message.value && String(message.value) })
    },
  })
  if (offset !== undefined) reader.seek({ topic, partition: 0, offset: String(offset) })
  await until(`offset ${last} of ${topic}`, () => records.some(record => record.offset === last))
  await reader.disconnect()
  return offset === undefined ? records : records.filter(record => record.offset >= offset)
}

main(async () => {
  const kafka = client()
  const topic = await createTopic(kafka, name('compaction'), 1, [
    { name: 'cleanup.policy', value: 'compact' },
    { name: 'segment.ms', value: '100' },
    { name: 'min.cleanable.dirty.ratio', value: '0.01' },
    { name: 'delete.retention.ms', value: '100' },
  ])
  const plain = producer(kafka)
  const idempotent = producer(kafka, { idempotent: true, maxInFlightRequests: 1 })
  await plain.connect()
  await idempotent.connect()
  const latest = new Map() // key -> { offset, value }
  const sent = new Map() // offset -> { key, value }

  async function send(writer, messages, compression) {
    const [{ baseOffset }] = await writer.send({ topic, acks: -1, compression, messages })
    messages.forEach(({ key, value }, i) => {
      sent.set(Number(baseOffset) + i, { key, value })
      latest.set(key, { offset: Number(baseOffset) + i, value })
    })
    return Number(baseOffset) + messages.length - 1
  }

  // Everything that is there is what was sent, in order, and the last of each key is among it.
  async function check() {
    const last = await send(plain, [{ key: 'end', value: String(Date.now()) }])
    const records = await readTo(kafka, topic, last)
    const seen = new Map()
    let before = -1
    for (const { offset, key, value } of records) {
      assert.ok(offset > before, `offset ${offset} after ${before}`)
      before = offset
      assert.deepStrictEqual({ key, value }, sent.get(offset))
      seen.set(key, { offset, value })
    }
    for (const [key, record] of latest)
      if (record.value !== null || seen.has(key)) assert.deepStrictEqual(seen.get(key), record, key)
    return records
  }

  for (let round = 0; round < ROUNDS; round++) {
    const messages = [...Array(KEYS).keys()].map(i => ({ key: `key-${i}`, value: `round ${round}` }))
    const writer = round % 2 ? idempotent : plain
    await send(writer, messages, round % 3 === 2 ? CompressionTypes.GZIP : CompressionTypes.None)
    await sleep(120)
    if (round % 2) await check()
  }
  await send(plain, [0, 1, 2].map(i => ({ key: `key-${i}`, value: null })), CompressionTypes.GZIP)

  const gone = records => !records.some(({ key, offset }) => key.startsWith('key-') && latest.get(key).offset !== offset)
  let records
  await until('the old values to go', async () => {
    await sleep(120)
    records = await check()
    return gone(records)
  }, 60)
  await until('the deleted keys to go', async () => {
    await sleep(120)
    records = await check()
    return !records.some(({ value }) => value === null)
  }, 60)
  assert.strictEqual(records.filter(({ key }) => key.startsWith('key-')).length, KEYS - 3)

  const last = records[records.length - 1].offset
  const first = records[0].offset
  assert.ok(first > KEYS)
  for (const offset of [0, 1, KEYS, first - 1]) {
    const found = await readTo(kafka, topic, last, offset)
    assert.strictEqual(found[0].offset, first)
  }

  // Its last batch may be gone but for the header: the sequence still goes on.
  await send(idempotent, [{ key: 'key-0', value: 'back' }])
  await control('restart')
  await send(idempotent, [{ key: 'key-1', value: 'back' }])
  await check()
  await plain.disconnect()
  await idempotent.disconnect()
})
