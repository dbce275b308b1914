// SPDX-License-Identifier: BSD-2-Clause
//
// Commit, crash, resume: a consumer commits after the 40th record, reads on to the 70th and is killed. The next one
// starts at the 41st: nothing committed comes again, nothing uncommitted is lost.

const assert = require('node:assert')
const { name, client, producer, consumer, createTopic, child, until, withAdmin, main } = require('./rig')

const TOPIC = name('resume')
const GROUP = name('group')

async function read(onRecord) {
  const reader = consumer(client(), GROUP, { sessionTimeout: 6000 })
  await reader.connect()
  await reader.subscribe({ topics: [TOPIC], fromBeginning: true })
  await reader.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => onRecord(reader, partition, Number(message.offset)),
  })
  return reader
}

async function victim() {
  await read(async (reader, partition, offset) => {
    if (offset === 40) {
      await reader.commitOffsets([{ topic: TOPIC, partition, offset: '40', metadata: 'as far as the 40th' }])
    }
    if (offset === 70) {
      console.log('at 70')
      await until('death', () => false, 60)
    }
  })
  await until('death', () => false, 60)
}

async function scenario() {
  const kafka = client()
  await createTopic(kafka, TOPIC)
  const writer = producer(kafka)
  await writer.connect()
  for (let i = 0; i < 100; i++) await writer.send({ topic: TOPIC, messages: [{ value: `${i}` }] })
  await writer.disconnect()

  const crashing = child(__filename, ['victim'])
  await until('the victim is at 70', () => crashing.lines.includes('at 70'))
  crashing.kill('SIGKILL')
  await crashing.ended

  const offsets = []
  const reader = await read(async (_, __, offset) => offsets.push(offset))
  await until('the rest', () => offsets.length >= 60, 20)
  await reader.disconnect()
  assert.deepStrictEqual(offsets, [...Array(60).keys()].map(i => i + 40))

  await withAdmin(kafka, async admin => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
    assert.deepStrictEqual(partitions, [{ partition: 0, offset: '40', metadata: 'as far as the 40th' }])
  })
}

main(process.argv[2] === 'victim' ? victim : scenario)
