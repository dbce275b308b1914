// SPDX-License-Identifier: BSD-2-Clause
//
// What goes in comes out: null and empty keys and values, headers with several values, a 900 KB record, timestamps,
// and the offsets that the producer was told, for every kind of acknowledgement.

const assert = require('node:assert')
const crypto = require('node:crypto')
const { name, client, producer, createTopic, readAll, main } = require('./rig')

main(async () => {
  const kafka = client()
  const topic = await createTopic(kafka, name('records'))
  const large = crypto.randomBytes(900 * 1024)
  const messages = [
    { key: 'k', value: 'v', timestamp: '1700000000123' },
    { key: null, value: 'no key' },
    { key: 'no value', value: null },
    { key: null, value: null },
    { key: '', value: '' },
    { key: 'large', value: large },
    { key: 'headers', value: 'x', headers: { one: 'a', two: ['b', 'c'], empty: '', bytes: Buffer.from([0, 255, 128]) } },
    { key: 'κλειδί', value: 'Odradek – 糸巻き' },
  ]

  const writer = producer(kafka)
  await writer.connect()
  let expected = 0
  for (const acks of [-1, 1]) {
    for (const message of messages) {
      const [answer] = await writer.send({ topic, acks, messages: [message] })
      assert.strictEqual(answer.errorCode, 0)
      assert.strictEqual(answer.partition, 0)
      assert.strictEqual(Number(answer.baseOffset), expected++)
    }
  }
  await writer.send({ topic, acks: 0, messages })
  await writer.send({ topic, acks: -1, messages }) // also waits for the ones that got no answer
  await writer.disconnect()

  const got = await readAll(kafka, topic, 4 * messages.length)
  assert.deepStrictEqual(got.map(record => Number(record.offset)), [...Array(4 * messages.length).keys()])
  const bytes = value => (value === null || value === undefined ? null : Buffer.from(value))
  for (const [i, record] of got.entries()) {
    const sent = messages[i % messages.length]
    assert.deepStrictEqual(record.key, bytes(sent.key))
    assert.ok(sent.value === null ? record.value === null : bytes(sent.value).equals(record.value))
    if (sent.timestamp) assert.strictEqual(record.timestamp, sent.timestamp)
    else assert.ok(Math.abs(Date.now() - Number(record.timestamp)) < 60000)
  }
  const { headers } = got[6]
  assert.strictEqual(headers.one.toString(), 'a')
  assert.deepStrictEqual(headers.two.map(String), ['b', 'c'])
  assert.strictEqual(headers.empty.length, 0)
  assert.deepStrictEqual([...headers.bytes], [0, 255, 128])
  assert.deepStrictEqual(kafka.problems, [])
})
