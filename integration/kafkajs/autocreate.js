// SPDX-License-Identifier: BSD-2-Clause
//
// Topics come into being when they are first asked for, by a producer and by a consumer, and the client sees no error.

const assert = require('node:assert')
const { name, client, producer, consumer, until, withAdmin, main } = require('./rig')

main(async () => {
  const kafka = client()
  const writer = producer(kafka)
  await writer.connect()
  await writer.send({ topic: name('by-producer'), messages: [{ value: 'first' }] })

  const got = []
  const reader = consumer(kafka, name('group'))
  await reader.connect()
  await reader.subscribe({ topics: [name('by-consumer'), name('by-producer')], fromBeginning: true })
  await reader.run({ eachMessage: async ({ message }) => got.push(String(message.value)) })
  await writer.send({ topic: name('by-consumer'), messages: [{ value: 'second' }] })
  await until('both records', () => got.length === 2)
  assert.deepStrictEqual(got.sort(), ['first', 'second'])
  await reader.disconnect()
  await writer.disconnect()

  await withAdmin(kafka, async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name('by-producer'), name('by-consumer')] })
    assert.deepStrictEqual(topics.map(topic => topic.partitions.length), [1, 1])
  })
  assert.deepStrictEqual(kafka.problems, [])
})
