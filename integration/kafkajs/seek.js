// SPDX-License-Identifier: BSD-2-Clause
//
// Seek by offset and by timestamp, to the beginning and to the end; pause and resume; an offset beyond the end.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopic, sleep, until, withAdmin, main } = require('./rig')

const TOPIC = name('seek')
const START = 1700000000000

main(async () => {
  const kafka = client()
  await createTopic(kafka, TOPIC)
  const writer = producer(kafka)
  await writer.connect()
  // Ten batches of ten, a second between records: offset n has timestamp START + 1000 n.
  for (let i = 0; i < 100; i += 10) {
    const messages = [...Array(10).keys()].map(j => ({ value: `${i + j}`, timestamp: `${START + 1000 * (i + j)}` }))
    await writer.send({ topic: TOPIC, messages })
  }

  const reader = consumer(kafka, name('group'))
  let got = []
  await reader.connect()
  await reader.subscribe({ topics: [TOPIC], fromBeginning: true })
  await reader.run({ eachMessage: async ({ message }) => got.push(Number(message.offset)) })
  await until('all records', () => got.length === 100)

  const from = async (what, offset, count) => {
    got = []
    reader.seek({ topic: TOPIC, partition: 0, offset: `${offset}` })
    await until(what, () => got.length >= count && got.at(-1) === 99)
    assert.strictEqual(got[0], 100 - count, what)
  }
  await from('seek into the middle of a batch', 57, 43)
  await from('seek to the first of a batch', 90, 10)
  await from('seek to the beginning', 0, 100)
  await from('seek to earliest, by its name', -2, 100)

  await withAdmin(kafka, async admin => {
    const at = async time => Number((await admin.fetchTopicOffsetsByTimestamp(TOPIC, time))[0].offset)
    assert.strictEqual(await at(START + 57000), 57, 'the exact time')
    assert.strictEqual(await at(START + 56001), 57, 'between two records: the later one')
    assert.strictEqual(await at(START - 1), 0, 'before all')
    assert.strictEqual(await at(START + 99000), 99, 'the last one')
    assert.strictEqual(await at(START + 99001), 100, 'after all: the end')
    await from('seek by time', await at(START + 80000), 20)

    const [{ offset, high, low }] = await admin.fetchTopicOffsets(TOPIC)
    assert.deepStrictEqual([offset, high, low], ['100', '100', '0'])
  })

  // Out of range: kafkajs goes back to where it was told to begin.
  got = []
  reader.seek({ topic: TOPIC, partition: 0, offset: '5000' })
  await until('all again after an offset beyond the end', () => got.length >= 100 && got.at(-1) === 99)

  reader.pause([{ topic: TOPIC }])
  await sleep(300)
  got = []
  await writer.send({ topic: TOPIC, messages: [{ value: 'late' }] })
  await sleep(500)
  assert.deepStrictEqual(got, [], 'paused')
  reader.resume([{ topic: TOPIC }])
  await until('the record that came meanwhile', () => got.length === 1)
  assert.deepStrictEqual(got, [100])

  await reader.disconnect()
  await writer.disconnect()
})
